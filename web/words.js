// SPDX-License-Identifier: Apache-2.0
// Every word of the page, in both languages; and how times are written.

const EN = {
	"language": "中文",
	"title": "Alarms", "overview": "Overview", "station": "Station",
	"sign_out": "Sign out", "sound_on": "Sound on", "sound_off": "Sound off",
	"sound_blocked": "Sound: press a key", "night": "Night", "day": "Day", "help": "Keys",
	"connected": "Live", "no_server": "No connection to the server",
	"no_daemon": "The server has no connection to the daemon",
	"connecting": "Connecting", "since": "since {time}",
	"unanswered": "{n} to answer", "none_unanswered": "Nothing to answer",
	"open": "{n} open", "filter": "Search", "no_alarms": "No alarms",
	"no_match": "Nothing matches", "more": "{n} more: narrow the search",
	"choose": "Choose an alarm: j and k, or click", "back": "Back",
	"times": "×{n}", "members": "In this group: {n} alarms that stand",
	"group_count": "{n} alarms", "group_waiting": "{n} of them to answer",
	"in_group": "In a group.", "with_group": "with the group", "close_group": "Fold the group", "silent": "silent: not noticeable at the site",
	"escalated": "Escalated", "for_information": "for information", "latched": "latched",
	"handed_to": "handed to {station}", "group": "group",
	"door": "Door", "site": "Site", "area": "Area", "controller": "Controller",
	"happened": "Happened", "received": "Received", "raised": "Raised", "cleared": "Over",
	"acknowledged_by": "Answered by", "shelved_until": "Until", "raw_code": "Device's code",
	"called": "Called", "stands": "still stands",
	"conversation": "What was done", "records": "Records behind it", "plan": "Site plan",
	"no_history": "The database does not answer: what is shown came while this page was open",
	"no_records": "Not stored yet", "server": "server", "clock_off": "device's clock was off",
	"reported_again": "reported again", "condition_over": "condition over", "was_raised": "raised",
	"age_s": "{n} s", "age_m": "{n} min", "age_h": "{n} h", "age_d": "{n} d",
	"signed_out": "You are signed out", "sign_in": "Sign in",
	"sign_in_link": "Open the link that your administrator gave you. It is good once.",
	"sign_in_certificate": "Sign in with the certificate of this machine",
	"link_refused": "This link does not sign in", "refused": "Refused",
	"overtaken": "{by} was first, at {time}", "not_done": "Not done",
	"unknown_done": "Not known whether it was done: look at the alarm",
	"ok": "OK", "cancel_dialog": "Cancel", "text": "Remark", "reason": "Reason",
	"how_it_came_out": "How it came out", "minutes": "Minutes", "to_station": "To which station",
	"optional": "optional", "needs_supervisor": "needs a supervisor",
	"new_alarm": "New alarm", "resynced": "The list was read anew",
	"keys_title": "Keys", "key_next": "next, previous", "key_open": "details",
	"key_search": "search", "key_group": "unfold a group", "key_view": "alarms, overview",
	"key_night": "day, night", "key_language": "language", "key_sound": "sound",
	"key_close": "close", "key_help": "this list",
	"sites": "Sites online", "controllers": "Controllers online", "lost": "{n} lost",
	"unseen_yet": "{n} never seen",
	"records_per_minute": "Records per minute", "alarms_open": "Alarms open",
	"postgresql_lag": "Not in PostgreSQL yet", "last_stored": "last stored {n} s ago",
	"alarms_per_hour": "Alarms per hour", "alarms_by_state": "Alarms by state",
	"latency": "How long it took, in seconds: half / 95 % / 99 %; last 24 hours",
	"severity": "Severity", "alarms": "Alarms", "arrival": "Door to server",
	"durable": "Server to disk", "shown": "Raised to screen", "kib": "{n} KiB",
	"overview_old": "The database does not answer; figures as of {time}",
	"to_ack": "Raised to first answer",
	"limits": "Against the limits; last 24 hours", "who": "Class", "way": "What", "limit": "Limit",
	"limit_words": "{s} s for {share} %", "quantiles": "Seconds: half / 95 % / 99 %",
	"in_time": "In time", "verdict_title": "Verdict",
	class: {people: "People in need", other: "Others"},
	measure: {arrived: "Door to server", shown: "Server to screen", acknowledged: "Raised to first answer"},
	verdict: {met: "✓ met", missed: "✕ missed", "no data": "no data"},
	severity: {critical: "critical", high: "high", medium: "medium", low: "low"},
	state: {unacknowledged: "unanswered", acknowledged: "answered",
		returned_unacknowledged: "over, unanswered", latched: "latched",
		shelved: "shelved", out_of_service: "out of service", normal: "over",
		unspecified: "unknown"},
	stage: {accepted: "accepted", dispatched: "on the way", on_scene: "on scene"},
	verb: {accept: "Accept", reject: "Reject", dispatched: "On the way", on_scene: "On scene",
		close: "Close", cancel: "Give back", comment: "Remark", hand_over: "Hand over",
		shelve: "Shelve", unshelve: "Take off the shelf", reset: "Reset",
		out_of_service: "Out of service", in_service: "Back in service",
		escalated: "Escalated", ack_expired: "Answer expired", shelf_over: "Shelving over",
		group_begun: "Group begun", group_counted: "Group counted",
		group_ended: "Group ended", group_joined: "Joined a group"},
	reject: {wrong_address: "wrong address", wrong_kind: "wrong kind", too_old: "too old",
		other: "other"},
	outcome: {incident: "incident", nothing_found: "nothing found",
		false_alarm: "false alarm", test: "test", technical: "technical", other: "other"},
	kind: {"access.duress": "Duress", "door.forced": "Door forced", "door.held_open":
		"Door held open", "tamper.controller": "Controller tampered with", "tamper.reader":
		"Reader tampered with", "tamper.cabinet": "Cabinet tampered with", "panic": "Panic",
		"hold_up": "Hold-up", "emergency_call": "Emergency call", "fire": "Fire",
		"comms.controller_lost": "Controller lost", "card.revoked_presented":
		"Revoked card presented", "policy.divergence": "Let in against the register",
		"records.gap": "Records missing", "alarm.flood": "Flood of alarms",
		"comms.site_lost": "Site lost", "journal.damaged": "Journal damaged", "door.forced_restored": "Door closed again",
		"door.held_open_restored": "Door closed again"},
};

const ZH = {
	"language": "English",
	"title": "警情", "overview": "总览", "station": "中心",
	"sign_out": "退出", "sound_on": "声音开", "sound_off": "声音关",
	"sound_blocked": "声音：请按任意键", "night": "夜间", "day": "日间", "help": "按键",
	"connected": "实时", "no_server": "与服务器的连接已断开",
	"no_daemon": "服务器与主程序的连接已断开",
	"connecting": "正在连接", "since": "自 {time} 起",
	"unanswered": "{n} 条待处理", "none_unanswered": "无待处理",
	"open": "共 {n} 条", "filter": "查找", "no_alarms": "无警情",
	"no_match": "没有匹配项", "more": "另有 {n} 条：请缩小查找范围",
	"choose": "请选择一条警情：j、k 键或点击", "back": "返回",
	"times": "×{n}", "members": "本组未结警情：{n} 条",
	"group_count": "{n} 条警情", "group_waiting": "其中 {n} 条待处理",
	"in_group": "已合并。", "with_group": "随合并项受理", "close_group": "收起合并项", "silent": "静默：现场不得察觉",
	"escalated": "已升级", "for_information": "供知悉", "latched": "已锁存",
	"handed_to": "已移交 {station}", "group": "合并",
	"door": "门", "site": "小区", "area": "辖区", "controller": "控制器",
	"happened": "发生", "received": "收到", "raised": "报警", "cleared": "恢复",
	"acknowledged_by": "受理人", "shelved_until": "至", "raw_code": "设备代码",
	"called": "通知", "stands": "尚未恢复",
	"conversation": "处置记录", "records": "相关记录", "plan": "平面图",
	"no_history": "数据库没有响应：以下为本页打开后收到的内容",
	"no_records": "尚未入库", "server": "服务器", "clock_off": "设备时钟有误",
	"reported_again": "再次上报", "condition_over": "状态已恢复", "was_raised": "报警",
	"age_s": "{n} 秒", "age_m": "{n} 分", "age_h": "{n} 小时", "age_d": "{n} 天",
	"signed_out": "您已退出", "sign_in": "登录",
	"sign_in_link": "请打开管理员给您的链接，该链接只能使用一次。",
	"sign_in_certificate": "用本机证书登录",
	"link_refused": "该链接无法登录", "refused": "被拒绝",
	"overtaken": "{by} 已于 {time} 先行处理", "not_done": "未执行",
	"unknown_done": "是否已执行尚不明确：请查看该警情",
	"ok": "确定", "cancel_dialog": "取消", "text": "备注", "reason": "原因",
	"how_it_came_out": "处置结果", "minutes": "分钟", "to_station": "移交至哪个中心",
	"optional": "可不填", "needs_supervisor": "需值班长权限",
	"new_alarm": "新警情", "resynced": "列表已重新读取",
	"keys_title": "按键", "key_next": "下一条、上一条", "key_open": "详情",
	"key_search": "查找", "key_group": "展开合并项", "key_view": "警情、总览",
	"key_night": "日间、夜间", "key_language": "语言", "key_sound": "声音",
	"key_close": "关闭", "key_help": "本列表",
	"sites": "在线小区", "controllers": "在线控制器", "lost": "{n} 个失联",
	"unseen_yet": "{n} 个从未上线",
	"records_per_minute": "每分钟记录数", "alarms_open": "未结警情",
	"postgresql_lag": "尚未入库", "last_stored": "{n} 秒前入库",
	"alarms_per_hour": "每小时警情", "alarms_by_state": "警情状态",
	"latency": "用时（秒）：50 % / 95 % / 99 %，最近 24 小时",
	"severity": "级别", "alarms": "警情", "arrival": "门到服务器",
	"durable": "服务器到磁盘", "shown": "报警到屏幕", "kib": "{n} KiB",
	"overview_old": "数据库没有响应；数据截至 {time}",
	"to_ack": "报警到首次受理",
	"limits": "时限考核，最近 24 小时", "who": "类别", "way": "环节", "limit": "时限",
	"limit_words": "{s} 秒内 {share} %", "quantiles": "秒：50 % / 95 % / 99 %",
	"in_time": "按时", "verdict_title": "结论",
	class: {people: "人身求助", other: "其他"},
	measure: {arrived: "门到服务器", shown: "服务器到屏幕", acknowledged: "报警到首次受理"},
	verdict: {met: "✓ 达标", missed: "✕ 未达标", "no data": "无数据"},
	severity: {critical: "特急", high: "紧急", medium: "一般", low: "提示"},
	state: {unacknowledged: "待处理", acknowledged: "已受理",
		returned_unacknowledged: "已恢复，待处理", latched: "已锁存",
		shelved: "已搁置", out_of_service: "停用", normal: "已结束", unspecified: "未知"},
	stage: {accepted: "已受理", dispatched: "途中", on_scene: "到场"},
	verb: {accept: "受理", reject: "退回", dispatched: "已出动", on_scene: "已到场",
		close: "结束", cancel: "放弃受理", comment: "备注", hand_over: "移交",
		shelve: "搁置", unshelve: "取消搁置", reset: "复位",
		out_of_service: "停用", in_service: "恢复使用",
		escalated: "已升级", ack_expired: "受理已过期", shelf_over: "搁置到期",
		group_begun: "开始合并", group_counted: "合并计数", group_ended: "合并结束",
		group_joined: "并入合并警情"},
	reject: {wrong_address: "地址有误", wrong_kind: "类型有误", too_old: "已过时", other: "其他"},
	outcome: {incident: "确有其事", nothing_found: "未发现异常", false_alarm: "误报",
		test: "测试", technical: "设备故障", other: "其他"},
	kind: {"access.duress": "胁迫开门", "door.forced": "强行开门", "door.held_open": "门开超时",
		"tamper.controller": "控制器被拆动", "tamper.reader": "读卡器被拆动",
		"tamper.cabinet": "机箱被拆动", "panic": "紧急求助", "hold_up": "遭遇抢劫",
		"emergency_call": "紧急呼叫", "fire": "火警", "comms.controller_lost": "控制器失联",
		"card.revoked_presented": "注销卡刷卡", "policy.divergence": "未授权放行",
		"records.gap": "记录缺失", "alarm.flood": "警情激增", "comms.site_lost": "小区失联",
		"journal.damaged": "日志损坏",
		"door.forced_restored": "门已恢复", "door.held_open_restored": "门已恢复"},
};

const LANGUAGES = {en: EN, zh: ZH};
let words = EN;

export let language = "en";

export function chooseLanguage(wanted)
{
	language = wanted in LANGUAGES ? wanted : "en";
	words = LANGUAGES[language];
	document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
}

export function w(key, values)
{
	const word = words[key];

	return values ? word.replace(/\{(\w+)\}/g, (_, name) => values[name]) : word;
}

// A word of the contract; one that this page doesn't know stays as it is.
export function term(group, key)
{
	return words[group][key] || key;
}

export function clock(iso)
{
	return new Date(iso).toLocaleTimeString("sv-SE");
}

export function moment(iso)
{
	const time = new Date(iso);
	const today = new Date().toDateString() === time.toDateString();

	return today ? clock(iso) : `${time.toLocaleDateString("sv-SE")} ${clock(iso)}`;
}

export function age(iso, nowMs)
{
	const s = Math.max(0, Math.floor((nowMs - new Date(iso)) / 1000));

	if (s < 60)
		return w("age_s", {n: s});
	if (s < 3600)
		return w("age_m", {n: Math.floor(s / 60)});
	if (s < 86400)
		return w("age_h", {n: Math.floor(s / 3600)});
	return w("age_d", {n: Math.floor(s / 86400)});
}

// For tests: both languages have the same words.
export function differences()
{
	const paths = (object, prefix) => Object.entries(object).flatMap(([key, value]) =>
		typeof value === "object" ? paths(value, `${prefix}${key}/`) : [prefix + key]);
	const [en, zh] = [paths(EN, ""), paths(ZH, "")];

	return [...en.filter(path => !zh.includes(path)), ...zh.filter(path => !en.includes(path))];
}

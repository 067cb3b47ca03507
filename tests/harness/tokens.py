# SPDX-License-Identifier: Apache-2.0
"""Card tokens, computed a second time from their definition alone.

card_key = HMAC-SHA256(HMAC-SHA256(site.key, context), card)
token    = HMAC-SHA256(HMAC-SHA256(token-YYYY-MM.key, context), card_key), first 16 bytes
context  = "gatehouse site " and the site's id in decimal
YYYY-MM  = the UTC month in which the record was received
"""

import hashlib
import hmac
import pathlib


def _mac(key, text):
    return hmac.new(key, text, hashlib.sha256).digest()


def card_token(keys_dir, site_id, month, card):
    keys_dir = pathlib.Path(keys_dir)
    context = b"gatehouse site %d" % site_id
    site_key = (keys_dir / "site.key").read_bytes()
    month_key = (keys_dir / f"token-{month}.key").read_bytes()
    card_key = _mac(_mac(site_key, context), card)
    return _mac(_mac(month_key, context), card_key)[:16]

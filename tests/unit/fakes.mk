# SPDX-License-Identifier: Apache-2.0
#
# Which unit tests are linked with a fake in the place of the real thing:
# FAKES_ROOM/TEST := names in tests/fake/

# the simulated disk is two files
FAKE_FS := fs fs_disk

FAKES_journal/test_append := $(FAKE_FS)
FAKES_journal/test_recover := $(FAKE_FS)
FAKES_journal/test_power := $(FAKE_FS)
FAKES_journal/test_damage := $(FAKE_FS)
FAKES_journal/test_loss := $(FAKE_FS)
FAKES_base/test_fs_fake := $(FAKE_FS)

# a clock and timers that the test moves
FAKES_web/test_reader := clock
FAKES_fleet/test_roster := clock loop
FAKES_fleet/test_sessions := clock loop
FAKES_fleet/test_short := clock loop
FAKES_fleet/test_handover := clock loop
FAKES_fleet/test_holes := clock loop
FAKES_fleet/test_gather := clock loop
FAKES_fleet/test_steady := clock loop malloc_count
FAKES_fleet/test_desk_sessions := clock loop
FAKES_fleet/test_registrar := clock loop

# SPDX-License-Identifier: Apache-2.0
"""Clients of Gatehouse as somebody else would write them: from proto/ alone."""

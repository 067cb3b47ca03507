# SPDX-License-Identifier: Apache-2.0
"""A whole Gatehouse in a folder of its own, for the demo, the bench and the system tests."""

/* SPDX-License-Identifier: Apache-2.0 */
/* What all programs of this tree say that they are. */
#ifndef GATEHOUSE_BASE_VERSION_H
#define GATEHOUSE_BASE_VERSION_H

#ifndef GATEHOUSE_VERSION
#define GATEHOUSE_VERSION "0.1"
#endif

#endif

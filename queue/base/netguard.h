/* netguard.h: the private-address defence: which addresses a URL chosen by a customer may reach.
 *
 * Decided on the numeric address at connect time (libcurl's socket callback), never on the host's spelling
 * and never on an earlier look-up: that closes every odd spelling of loopback and DNS rebinding at once.
 * IPv4: the special-purpose ranges are refused; IPv6: only 2000::/3 minus Teredo, 6to4 and documentation;
 * IPv4-mapped addresses are unwrapped and judged as IPv4. Thread: any, after netguard_allow at start. */
#ifndef CHASQUI_BASE_NETGUARD_H
#define CHASQUI_BASE_NETGUARD_H

#include <stdbool.h>
#include <sys/socket.h>

#include "queue/base/error.h"

/* Operators: everything allowed (--allow-private-networks), or a named CIDR ("10.1.0.0/16", "::1/128"). */
void netguard_allow_all(bool yes);
enum err netguard_allow(const char *cidr) MUST_CHECK; /* at most 64 */
void netguard_reset(void);                            /* tests: back to the default, nothing allowed */

/* True if a connection to this address may be opened. */
bool netguard_permits(const struct sockaddr *address);

/* A range of addresses as people write it: "192.0.2.7", "10.1.0.0/16", "2001:db8::/32"; IPv4-mapped forms mean IPv4. */
bool netguard_range_is(const char *cidr);
/* True if the address ("192.0.2.7", "::1") is of the range; false if either cannot be read. */
bool netguard_range_holds(const char *cidr, const char *address);

#endif

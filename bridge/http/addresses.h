/* addresses.h: how many connections of each client address nobody has vouched for; inside the front only.
 * Thread: any. */
#ifndef CHASQUI_HTTP_ADDRESSES_H
#define CHASQUI_HTTP_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct http_addresses;

/* A client's address as it counts: IPv4 mapped into IPv6, IPv6 by its first half. */
struct http_address {
    uint8_t bytes[16];
};

struct http_addresses *http_addresses_new(void);
void http_addresses_free(struct http_addresses *addresses);
struct http_address http_address_of(const struct sockaddr_storage *from);
/* Counts a connection; false if its address holds max already. */
bool http_addresses_enter(struct http_addresses *addresses, const struct http_address *name, unsigned max);
void http_addresses_leave(struct http_addresses *addresses, const struct http_address *name);

#endif

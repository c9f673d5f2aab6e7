/* addresses.c: how many connections each client address holds that nobody has vouched for.
 *
 * One client must not be able to take every connection there is. A connection counts from its acceptance
 * until its end or until http_vouch: whoever had a request granted has shown a key, and a key can be revoked.
 * Addresses of IPv6 count by their first 64 bits, because that is what one customer of a provider gets.
 * Accepting happens on thread 0, ends happen on any, hence the lock; it is held for one look-up. */
#include "bridge/http/addresses.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "queue/base/clock.h"
#include "queue/base/log.h"

#define COMPLAIN_MS 10000

struct address {
    struct http_address name;
    unsigned count;
    UT_hash_handle hh;
};

struct http_addresses {
    pthread_mutex_t lock;
    struct address *table;
    int64_t complained_ms;
    unsigned long unreported;
};

struct http_addresses *http_addresses_new(void)
{
    struct http_addresses *addresses = xcalloc(1, sizeof *addresses);
    pthread_mutex_init(&addresses->lock, NULL);
    return addresses;
}

void http_addresses_free(struct http_addresses *addresses)
{
    struct address *item = NULL;
    struct address *next = NULL;
    HASH_ITER (hh, addresses->table, item, next) {
        HASH_DEL(addresses->table, item);
        free(item);
    }
    pthread_mutex_destroy(&addresses->lock);
    free(addresses);
}

/* What an address counts as. */
struct http_address http_address_of(const struct sockaddr_storage *from)
{
    struct http_address name = {{0}};
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
        memset(name.bytes + 10, 0xff, 2);
        memcpy(name.bytes + 12, &in->sin_addr, 4);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
        memcpy(name.bytes, &in6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr) ? 16 : 8);
    }
    return name;
}

/* Says at most once in a while that somebody is turned away. */
static void complain(struct http_addresses *addresses, unsigned max)
{
    int64_t now = clock_mono_ms();
    addresses->unreported++;
    if (addresses->complained_ms != 0 && now - addresses->complained_ms < COMPLAIN_MS) {
        return;
    }
    log_warn("http.address_full", "most=%u turned_away=%lu", max, addresses->unreported);
    addresses->complained_ms = now;
    addresses->unreported = 0;
}

/* Counts a connection; false if its address holds max already. */
bool http_addresses_enter(struct http_addresses *addresses, const struct http_address *name, unsigned max)
{
    struct address *item = NULL;
    pthread_mutex_lock(&addresses->lock);
    HASH_FIND(hh, addresses->table, name, sizeof *name, item);
    bool room = item == NULL || item->count < max;
    if (room && item == NULL) {
        item = xcalloc(1, sizeof *item);
        item->name = *name;
        HASH_ADD(hh, addresses->table, name, sizeof item->name, item);
    }
    if (room) {
        item->count++;
    } else {
        complain(addresses, max);
    }
    pthread_mutex_unlock(&addresses->lock);
    return room;
}

/* Counts a connection no longer. */
void http_addresses_leave(struct http_addresses *addresses, const struct http_address *name)
{
    struct address *item = NULL;
    pthread_mutex_lock(&addresses->lock);
    HASH_FIND(hh, addresses->table, name, sizeof *name, item);
    CHECK(item != NULL && item->count > 0);
    if (--item->count == 0) {
        HASH_DEL(addresses->table, item);
        free(item);
    }
    pthread_mutex_unlock(&addresses->lock);
}

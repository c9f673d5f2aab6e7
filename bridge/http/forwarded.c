/* forwarded.c: whose request it is when a proxy of the operator's stands between.
 *
 * A proxy writes the address of whoever came to it behind what was there before, so that only the right end
 * of the list is to be believed, and only as far as each link of the chain is a proxy named by the operator:
 * the client is the right-most address that is none. Anything a client writes itself stands to the left of
 * that. One field is read, the one that the operator's proxies write: a client could fill in the other. Where
 * the deciding entry is no address (a hidden name, nonsense, an odd quote), the client is "unknown": of no
 * allow list, and counted together with all such. RFC 7239 for Forwarded; X-Forwarded-For is a plain list. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bridge/http/http_int.h"
#include "queue/base/netguard.h"

#define UNKNOWN     "unknown"
#define ENTRIES_MAX 64  /* a longer chain is nobody's */
#define TEXT_MAX    256 /* of one entry's address */

/* The list being read. */
struct walk {
    const struct http_server *server;
    char client[HTTP_PEER_SIZE]; /* so far; "" before the first entry */
    bool strange;                /* client is none of the proxies */
    unsigned entries;
};

/* True if the address is of a proxy of the operator's. */
static bool is_proxy(const struct http_server *server, const char *address)
{
    bool known = false;
    for (unsigned i = 0; i < server->proxy_count && !known; i++) {
        known = netguard_range_holds(server->proxies[i], address);
    }
    return known;
}

/* An address as we write it ourselves; false if the text is none. */
static bool plain_address(const char *text, char out[HTTP_PEER_SIZE])
{
    struct in6_addr six;
    struct in_addr four;
    if (inet_pton(AF_INET, text, &four) == 1) {
        return inet_ntop(AF_INET, &four, out, HTTP_PEER_SIZE) != NULL;
    }
    if (inet_pton(AF_INET6, text, &six) != 1) {
        return false;
    }
    if (IN6_IS_ADDR_V4MAPPED(&six)) {
        return inet_ntop(AF_INET, six.s6_addr + 12, out, HTTP_PEER_SIZE) != NULL;
    }
    return inet_ntop(AF_INET6, &six, out, HTTP_PEER_SIZE) != NULL;
}

/* Cuts a port off: "192.0.2.7:80", "[::1]:80", "[::1]". False if the brackets are odd. */
static bool cut_port(char *text)
{
    char *colon = strchr(text, ':');
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || (end[1] != '\0' && end[1] != ':') ||
            (end[1] == ':' && strspn(end + 2, "0123456789") != strlen(end + 2))) {
            return false;
        }
        *end = '\0';
        memmove(text, text + 1, strlen(text));
        return true;
    }
    if (colon != NULL && strchr(colon + 1, ':') == NULL &&
        strspn(colon + 1, "0123456789") == strlen(colon + 1)) {
        *colon = '\0';
    }
    return true;
}

/* One link of the chain, later ones to the right. */
static void take_entry(struct walk *walk, const char *text, size_t len)
{
    char room[TEXT_MAX], address[HTTP_PEER_SIZE] = UNKNOWN;
    walk->entries++;
    if (len < sizeof room) {
        memcpy(room, text, len);
        room[len] = '\0';
        if (memchr(room, '\0', len) != NULL || !cut_port(room) || !plain_address(room, address)) {
            memcpy(address, UNKNOWN, sizeof UNKNOWN);
        }
    }
    bool strange = walk->entries > ENTRIES_MAX || !is_proxy(walk->server, address);
    if (strange || !walk->strange) {
        if (strange || walk->client[0] == '\0') {
            memcpy(walk->client, address, sizeof walk->client);
        }
        walk->strange = strange;
    }
}

/* The bytes between the spaces around an entry. */
static const char *trim(const char *text, size_t *len)
{
    while (*len > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        (*len)--;
    }
    while (*len > 0 && (text[*len - 1] == ' ' || text[*len - 1] == '\t')) {
        (*len)--;
    }
    return text;
}

/* The length up to one of the bytes outside quotes; *open: a quote was not closed. */
static size_t span(const char *text, size_t len, const char *ends, bool *open)
{
    size_t i = 0;
    *open = false;
    for (; i < len && (*open || strchr(ends, text[i]) == NULL); i++) {
        if (text[i] == '"') {
            *open = !*open;
        } else if (text[i] == '\\' && *open && i + 1 < len) {
            i++;
        }
    }
    return i;
}

/* The value of "for" in an element of Forwarded, without quotes; "" if it has none. An address has no use
 * for a backslash: a value with one is no address. */
static const char *for_of(const char *element, size_t len, size_t *size)
{
    bool open = false;
    for (size_t at = 0; at < len;) {
        size_t pair = span(element + at, len - at, ";", &open), rest = pair;
        const char *text = trim(element + at, &rest);
        if (rest >= 4 && strncasecmp(text, "for=", 4) == 0) {
            bool quoted = rest >= 6 && text[4] == '"' && text[rest - 1] == '"';
            *size = rest - 4 - (quoted ? 2 : 0);
            return text + 4 + (quoted ? 1 : 0);
        }
        at += pair + 1;
    }
    *size = 0;
    return "";
}

/* Every entry of one field line. */
static void read_line(struct walk *walk, const char *value, bool pairs)
{
    size_t len = strlen(value);
    bool open = false;
    for (size_t at = 0; at <= len;) {
        size_t piece = pairs ? span(value + at, len - at, ",", &open) : strcspn(value + at, ",");
        size_t size = piece;
        const char *text = trim(value + at, &size);
        if (pairs && size > 0) {
            text = for_of(text, size, &size);
        }
        if (open) {
            take_entry(walk, "", 0); /* swallowed what a proxy wrote behind it */
        } else if (size > 0 || pairs) {
            take_entry(walk, text, size);
        }
        at += piece + 1;
    }
}

void http_forwarded_read(struct http_request *req)
{
    const struct http_server *server = req->thread->server;
    const char *name = server->config.proxy_writes_forwarded ? "Forwarded" : "X-Forwarded-For";
    struct walk walk = {.server = server};
    if (server->proxy_count == 0 || req->from_unix || !is_proxy(server, req->peer)) {
        return;
    }
    for (unsigned i = 0; i < req->field_count; i++) {
        if (http_field_is(&req->fields[i], name)) {
            read_line(&walk, req->fields[i].value, server->config.proxy_writes_forwarded);
        }
    }
    if (walk.entries > ENTRIES_MAX) {
        memcpy(walk.client, UNKNOWN, sizeof UNKNOWN);
    }
    if (walk.client[0] != '\0') {
        memcpy(req->peer, walk.client, sizeof req->peer);
    }
}

bool http_forwarded_trusts(const struct http_server *server, const char *address)
{
    return is_proxy(server, address);
}

void http_forwarded_init(struct http_server *server)
{
    char *rest = server->proxy_text =
        xstrdup(server->config.trusted_proxies != NULL ? server->config.trusted_proxies : "");
    server->config.trusted_proxies = server->proxy_text;
    server->proxies = xcalloc(strlen(rest) / 2 + 1, sizeof *server->proxies);
    for (char *range = strsep(&rest, ", "); range != NULL; range = strsep(&rest, ", ")) {
        if (range[0] != '\0') {
            CHECK(netguard_range_is(range));
            server->proxies[server->proxy_count++] = range;
        }
    }
}

void http_forwarded_fini(struct http_server *server)
{
    free(server->proxies);
    free(server->proxy_text);
}

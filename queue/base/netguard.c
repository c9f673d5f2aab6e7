/* netguard.c: two tables of ranges and the operator's list of exceptions.
 *
 * An address is turned into its plainest form first (an IPv4-mapped IPv6 address becomes the IPv4 address
 * that the kernel would connect to), then the exceptions are asked, then the table of its family. IPv4 is
 * open but for the special-purpose ranges (IANA's registry, RFC 6890 and its followers). IPv6 is closed but
 * for global unicast, and of that the parts which embed or stand for other addresses are closed again. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "queue/base/netguard.h"

#define ALLOW_MAX 64

/* A family's address as bytes and how many of its leading bits count. */
struct range {
    uint8_t bytes[16];
    unsigned bits;
    bool v6;
};

static const struct range denied_v4[] = {
    {{0}, 8, false},             /* this network; 0.0.0.0 reaches the machine itself */
    {{10}, 8, false},            /* private */
    {{100, 64}, 10, false},      /* shared by carriers' address translation */
    {{127}, 8, false},           /* loopback */
    {{169, 254}, 16, false},     /* link-local, with the clouds' metadata service */
    {{172, 16}, 12, false},      /* private */
    {{192, 0, 0}, 24, false},    /* protocol assignments */
    {{192, 0, 2}, 24, false},    /* documentation */
    {{192, 88, 99}, 24, false},  /* 6to4 relays */
    {{192, 168}, 16, false},     /* private */
    {{198, 18}, 15, false},      /* benchmarks */
    {{198, 51, 100}, 24, false}, /* documentation */
    {{203, 0, 113}, 24, false},  /* documentation */
    {{224}, 4, false},           /* multicast */
    {{240}, 4, false},           /* reserved, and broadcast */
};

static const struct range global_v6 = {{0x20}, 3, true};

static const struct range denied_v6[] = {
    {{0x20, 0x01, 0x00}, 23, true},       /* protocol assignments: Teredo, ORCHID, benchmarks */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, true}, /* documentation */
    {{0x20, 0x02}, 16, true},             /* 6to4: carries any IPv4 address */
    {{0x3f, 0xff, 0x00}, 20, true},       /* documentation (RFC 9637) */
};

static const uint8_t mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

static atomic_bool allow_everything;
static struct range allowed[ALLOW_MAX];
static atomic_uint allowed_count;

/* Whether the leading bits of an address are those of a range of its family. */
static bool in_range(const struct range *address, const struct range *range)
{
    unsigned whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    if (address->v6 != range->v6 || memcmp(address->bytes, range->bytes, whole) != 0) {
        return false;
    }
    return rest == 0 || ((address->bytes[whole] ^ range->bytes[whole]) & mask) == 0;
}

/* Turns an IPv4-mapped range into the IPv4 range it means. */
static void unwrap(struct range *range)
{
    if (range->v6 && range->bits >= 96 && memcmp(range->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        memmove(range->bytes, range->bytes + 12, 4);
        memset(range->bytes + 4, 0, 12);
        range->bits -= 96;
        range->v6 = false;
    }
}

/* Reads a prefix length: decimal digits only, at most most. */
static bool parse_bits(const char *text, unsigned most, unsigned *out)
{
    unsigned value = 0;
    size_t len = strspn(text, "0123456789");

    if (len == 0 || len > 3 || text[len] != '\0') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *out = value;
    return value <= most;
}

/* Reads "address" or "address/bits". */
static bool parse_cidr(const char *cidr, struct range *out)
{
    char address[INET6_ADDRSTRLEN + 1];
    const char *slash = strchr(cidr, '/');
    size_t len = slash != NULL ? (size_t)(slash - cidr) : strlen(cidr);

    *out = (struct range){0};
    if (len >= sizeof(address)) {
        return false;
    }
    memcpy(address, cidr, len);
    address[len] = '\0';
    out->v6 = strchr(address, ':') != NULL;
    if (inet_pton(out->v6 ? AF_INET6 : AF_INET, address, out->bytes) != 1) {
        return false;
    }
    out->bits = out->v6 ? 128 : 32;
    if (slash != NULL && !parse_bits(slash + 1, out->bits, &out->bits)) {
        return false;
    }
    unwrap(out);
    return true;
}

/* Lifts or sets the whole defence. */
void netguard_allow_all(bool yes)
{
    atomic_store(&allow_everything, yes);
}

/* Adds an exception: ERR_INVALID if it cannot be read, ERR_LIMIT if there are too many. */
enum err netguard_allow(const char *cidr)
{
    unsigned count = atomic_load(&allowed_count);
    struct range range;

    if (!parse_cidr(cidr, &range)) {
        return ERR_INVALID;
    }
    if (count == ALLOW_MAX) {
        return ERR_LIMIT;
    }
    allowed[count] = range;
    atomic_store(&allowed_count, count + 1);
    return ERR_OK;
}

/* Back to the default. */
void netguard_reset(void)
{
    atomic_store(&allow_everything, false);
    atomic_store(&allowed_count, 0);
}

/* Reads a socket address; false if it is neither IPv4 nor IPv6. */
static bool read_address(const struct sockaddr *address, struct range *out)
{
    *out = (struct range){0};
    if (address->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, address, sizeof(in));
        memcpy(out->bytes, &in.sin_addr, 4);
        out->bits = 32;
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, address, sizeof(in6));
        memcpy(out->bytes, &in6.sin6_addr, 16);
        out->bits = 128;
        out->v6 = true;
        unwrap(out);
        return true;
    }
    return false;
}

/* Whether any range of a table holds the address. */
static bool in_table(const struct range *address, const struct range *table, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (in_range(address, &table[i])) {
            return true;
        }
    }
    return false;
}

/* Judges one address. */
bool netguard_permits(const struct sockaddr *address)
{
    struct range plain;

    if (!read_address(address, &plain)) {
        return false;
    }
    if (atomic_load(&allow_everything) || in_table(&plain, allowed, atomic_load(&allowed_count))) {
        return true;
    }
    if (!plain.v6) {
        return !in_table(&plain, denied_v4, sizeof(denied_v4) / sizeof(denied_v4[0]));
    }
    return in_range(&plain, &global_v6) &&
           !in_table(&plain, denied_v6, sizeof(denied_v6) / sizeof(denied_v6[0]));
}

/* Whether the text is a range. */
bool netguard_range_is(const char *cidr)
{
    struct range range;
    return parse_cidr(cidr, &range);
}

/* Whether a range holds an address, both as text. */
bool netguard_range_holds(const char *cidr, const char *address)
{
    struct range range, one;
    return strchr(address, '/') == NULL && parse_cidr(cidr, &range) && parse_cidr(address, &one) &&
           one.bits >= range.bits && in_range(&one, &range);
}

/* route.c: finds the row of a request. The templates are cut into segments once and hung into chains by their
 * first segment and their length; a path is then compared with the rows of its chain, the most literal one
 * wins. */
#include "bridge/api/route.h"

#include <pthread.h>
#include <string.h>

#define SEGMENTS 8

const struct route routes[] = {
#define ROUTE(method, path, surfaces, scope, body, schema, rate, handler, text) \
    {method, path, surfaces, scope, body, schema, rate, handler, text},
#include "bridge/api/tbl_routes.h"
#undef ROUTE
};
const unsigned route_count = sizeof(routes) / sizeof(routes[0]);

struct segment {
    const char *text;
    size_t len;
    bool param; /* text is the parameter's name, without braces */
};
struct segments {
    struct segment at[SEGMENTS];
    unsigned count;
};

static struct segments templates[sizeof(routes) / sizeof(routes[0])];

/* The rows by their first segment and how many there are: a chain for each remainder, in the table's order.
 */
#define CHAINS 128
#define OPEN_CHAIN CHAINS /* of the templates that begin with a parameter: those of /channelsApi alone */
static unsigned short chain_first[CHAINS + 1];                        /* row + 1; 0: none */
static unsigned short chain_next[sizeof(routes) / sizeof(routes[0])]; /* likewise */
static pthread_once_t templates_once = PTHREAD_ONCE_INIT;

/* Cuts at slashes; empty segments count for nothing. False if there are too many. */
static bool cut(const char *path, struct segments *out)
{
    out->count = 0;
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        if (len > 0) {
            if (out->count == SEGMENTS) {
                return false;
            }
            out->at[out->count++] = (struct segment){at, len, false};
        }
        at += len + (at[len] == '/');
    }
    return true;
}

/* The chain of a path or template. */
static unsigned chain_of(const struct segments *segments)
{
    unsigned hash = segments->count;
    for (size_t i = 0; segments->count > 0 && i < segments->at[0].len; i++) {
        hash = hash * 31 + (unsigned char)segments->at[0].text[i];
    }
    return hash % CHAINS;
}

/* Puts every row into its chain, the last first. */
static void link_chains(void)
{
    for (unsigned i = route_count; i-- > 0;) {
        bool open = templates[i].count > 0 && templates[i].at[0].param;
        CHECK(open == ((routes[i].surfaces & ON_VIVI) != 0));
        unsigned chain = open ? OPEN_CHAIN : chain_of(&templates[i]);
        chain_next[i] = chain_first[chain];
        chain_first[chain] = (unsigned short)(i + 1);
    }
}

/* Cuts the table's templates. */
static void cut_templates(void)
{
    for (unsigned i = 0; i < route_count; i++) {
        CHECK(cut(routes[i].path, &templates[i]));
        for (unsigned k = 0; k < templates[i].count; k++) {
            struct segment *segment = &templates[i].at[k];
            if (segment->text[0] == '{') {
                *segment = (struct segment){segment->text + 1, segment->len - 2, true};
            }
        }
    }
    link_chains();
}

/* True if the path fits; *rank tells how literal the template is, earlier segments weighing more. */
static bool fits(const struct segments *template, const struct segments *path, unsigned *rank)
{
    if (template->count != path->count) {
        return false;
    }
    *rank = 1;
    for (unsigned i = 0; i < path->count; i++) {
        const struct segment *want = &template->at[i], *have = &path->at[i];
        if (!want->param && (want->len != have->len || memcmp(want->text, have->text, have->len) != 0)) {
            return false;
        }
        *rank = *rank * 2 + (want->param ? 0 : 1);
    }
    return true;
}

/* True if the row answers this method. */
static bool takes(const struct route *route, const char *method)
{
    return strcmp(route->method, strcmp(method, "HEAD") == 0 ? "GET" : method) == 0;
}

/* Takes the parameters' values out of the path. */
static void fill_params(const struct segments *template, const struct segments *path,
                        struct route_match *match)
{
    for (unsigned i = 0; i < path->count; i++) {
        if (template->at[i].param) {
            CHECK(match->param_count < ROUTE_PARAMS);
            match->params[match->param_count++] = (struct route_param){
                template->at[i].text, template->at[i].len, path->at[i].text, path->at[i].len};
        }
    }
}

void route_find(const struct surface *surface, const char *method, const char *path,
                struct route_match *match)
{
    struct segments segments;
    unsigned best = 0, best_row = 0;
    memset(match, 0, sizeof(*match));
    pthread_once(&templates_once, cut_templates);
    if (!cut(path, &segments)) {
        return;
    }
    if (segments.count > 0) {
        segments.at[0].text =
            surface_alias(surface, segments.at[0].text, segments.at[0].len, &segments.at[0].len);
    }
    unsigned chain = surface->bit == ON_VIVI ? OPEN_CHAIN : chain_of(&segments);
    for (unsigned row = chain_first[chain]; row != 0; row = chain_next[row - 1]) {
        unsigned rank, i = row - 1;
        if ((routes[i].surfaces & surface->bit) == 0 || !fits(&templates[i], &segments, &rank) ||
            rank < best) {
            continue;
        }
        if (rank > best) {
            best = rank;
            match->any = &routes[i];
            match->route = NULL;
        }
        if (takes(&routes[i], method)) {
            match->route = &routes[i];
        }
        best_row = i;
    }
    if (match->any != NULL) {
        fill_params(&templates[best_row], &segments, match);
    }
}

/* True if the templates differ at most in the names of their parameters. */
static bool same_template(const struct segments *a, const struct segments *b)
{
    bool same = a->count == b->count;
    for (unsigned i = 0; same && i < a->count; i++) {
        same = a->at[i].param == b->at[i].param &&
               (a->at[i].param ||
                (a->at[i].len == b->at[i].len && memcmp(a->at[i].text, b->at[i].text, a->at[i].len) == 0));
    }
    return same;
}

void route_allow(const struct surface *surface, const struct route *any, struct buf *out)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
    const struct segments *want = &templates[any - routes];
    buf_adds(out, "OPTIONS");
    for (unsigned m = 0; m < sizeof(methods) / sizeof(methods[0]); m++) {
        bool found = false;
        for (unsigned i = 0; i < route_count && !found; i++) {
            found = (routes[i].surfaces & surface->bit) != 0 && strcmp(routes[i].method, methods[m]) == 0 &&
                    same_template(want, &templates[i]);
        }
        if (found) {
            buf_addf(out, ", %s%s", methods[m], m == 0 ? ", HEAD" : "");
        }
    }
}

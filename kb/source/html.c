/* html.c: HTML onto paper, by the events of libxml2's HTML reader: no tree is built, so depth and size cost
 * no memory. Scripts, styles, menus, foot lines, forms and what the page hides are left out; links are kept.
 */
#include <string.h>
#include <strings.h>

#include <libxml/HTMLparser.h>
#include <libxml/uri.h>

#include "kb/source/formats.h"

#define PIECE     65536
#define DEPTH_MAX 100000 /* of open elements; libxml2's own stack of names costs time that grows with it */
#define URL_BYTES 2000

enum role {
    ROLE_INLINE,
    ROLE_BLOCK,
    ROLE_HEADING,
    ROLE_LIST,
    ROLE_ITEM,
    ROLE_TABLE,
    ROLE_ROW,
    ROLE_CELL,
    ROLE_PRE,
    ROLE_SKIP,
    ROLE_TITLE,
    ROLE_BREAK,
    ROLE_LINK,
    ROLE_BASE,
};

static const struct {
    const char *name;
    enum role role;
    unsigned level;
} ELEMENTS[] = {
    {"p", ROLE_BLOCK, 0},          {"div", ROLE_BLOCK, 0},        {"section", ROLE_BLOCK, 0},
    {"article", ROLE_BLOCK, 0},    {"main", ROLE_BLOCK, 0},       {"header", ROLE_BLOCK, 0},
    {"address", ROLE_BLOCK, 0},    {"blockquote", ROLE_BLOCK, 0}, {"figure", ROLE_BLOCK, 0},
    {"figcaption", ROLE_BLOCK, 0}, {"dl", ROLE_BLOCK, 0},         {"dt", ROLE_BLOCK, 0},
    {"dd", ROLE_BLOCK, 0},         {"details", ROLE_BLOCK, 0},    {"summary", ROLE_BLOCK, 0},
    {"hr", ROLE_BLOCK, 0},         {"caption", ROLE_BLOCK, 0},    {"body", ROLE_BLOCK, 0},
    {"h1", ROLE_HEADING, 1},       {"h2", ROLE_HEADING, 2},       {"h3", ROLE_HEADING, 3},
    {"h4", ROLE_HEADING, 4},       {"h5", ROLE_HEADING, 5},       {"h6", ROLE_HEADING, 6},
    {"ul", ROLE_LIST, 0},          {"ol", ROLE_LIST, 0},          {"li", ROLE_ITEM, 0},
    {"table", ROLE_TABLE, 0},      {"tr", ROLE_ROW, 0},           {"td", ROLE_CELL, 0},
    {"th", ROLE_CELL, 0},          {"pre", ROLE_PRE, 0},          {"br", ROLE_BREAK, 0},
    {"title", ROLE_TITLE, 0},      {"a", ROLE_LINK, 0},           {"area", ROLE_LINK, 0},
    {"base", ROLE_BASE, 0},        {"script", ROLE_SKIP, 0},      {"style", ROLE_SKIP, 0},
    {"noscript", ROLE_SKIP, 0},    {"template", ROLE_SKIP, 0},    {"svg", ROLE_SKIP, 0},
    {"math", ROLE_SKIP, 0},        {"iframe", ROLE_SKIP, 0},      {"object", ROLE_SKIP, 0},
    {"nav", ROLE_SKIP, 0},         {"footer", ROLE_SKIP, 0},      {"form", ROLE_SKIP, 0},
    {"select", ROLE_SKIP, 0},      {"button", ROLE_SKIP, 0},      {"textarea", ROLE_SKIP, 0},
    {"dialog", ROLE_SKIP, 0},
};

struct page {
    struct paper *p;
    xmlParserCtxtPtr parser;
    const char *base; /* NULL: no links */
    char own_base[URL_BYTES];
    unsigned skipped; /* open elements inside one that is left out */
    unsigned depth, lists, pre;
    bool in_title;
};

/* The row of an element's name; inline if there is none. */
static enum role role_of(const char *name, unsigned *level)
{
    for (size_t i = 0; i < sizeof ELEMENTS / sizeof *ELEMENTS; i++) {
        if (strcasecmp(ELEMENTS[i].name, name) == 0) {
            *level = ELEMENTS[i].level;
            return ELEMENTS[i].role;
        }
    }
    return ROLE_INLINE;
}

/* The value of an attribute, NULL if absent. */
static const char *attribute(const xmlChar **list, const char *name)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i += 2) {
        if (strcasecmp((const char *)list[i], name) == 0) {
            return list[i + 1] != NULL ? (const char *)list[i + 1] : "";
        }
    }
    return NULL;
}

/* True if a browser would not show the element: what a visitor cannot see is no answer for him either. */
static bool is_hidden(const xmlChar **list)
{
    const char *style = attribute(list, "style"), *aria = attribute(list, "aria-hidden");
    char plain[128];
    size_t n = 0;

    for (const char *c = style != NULL ? style : ""; *c != '\0' && n < sizeof plain - 1; c++) {
        if (*c != ' ') {
            plain[n++] = *c;
        }
    }
    plain[n] = '\0';
    return attribute(list, "hidden") != NULL || (aria != NULL && strcasecmp(aria, "true") == 0) ||
           strcasestr(plain, "display:none") != NULL || strcasestr(plain, "visibility:hidden") != NULL;
}

/* Keeps the address of a link, absolute and without its fragment. */
static void link_take(struct page *page, const char *href)
{
    if (page->base == NULL || href == NULL || href[0] == '\0' || href[0] == '#' ||
        strlen(href) >= URL_BYTES) {
        return;
    }
    xmlChar *url = xmlBuildURI((const xmlChar *)href, (const xmlChar *)page->base);
    if (url == NULL) {
        return;
    }
    char *mark = strchr((char *)url, '#');
    if (mark != NULL) {
        *mark = '\0';
    }
    if (strncasecmp((char *)url, "http://", 7) == 0 || strncasecmp((char *)url, "https://", 8) == 0) {
        paper_link(page->p, (char *)url);
    }
    xmlFree(url);
}

/* <base href> changes what links are relative to. */
static void base_take(struct page *page, const char *href)
{
    if (page->base == NULL || href == NULL || strlen(href) >= URL_BYTES) {
        return;
    }
    xmlChar *url = xmlBuildURI((const xmlChar *)href, (const xmlChar *)page->base);
    if (url != NULL && strlen((char *)url) < URL_BYTES) {
        memcpy(page->own_base, url, strlen((char *)url) + 1);
        page->base = page->own_base;
    }
    xmlFree(url);
}

/* An element that counts begins. */
static void role_open(struct page *page, enum role role, unsigned level)
{
    switch (role) {
    case ROLE_BLOCK:
        paper_block(page->p);
        break;
    case ROLE_HEADING:
        paper_heading(page->p, level);
        break;
    case ROLE_LIST:
        paper_block(page->p);
        page->lists++;
        break;
    case ROLE_ITEM:
        paper_item(page->p, page->lists > 0 ? page->lists - 1 : 0);
        break;
    case ROLE_TABLE:
        paper_table_start(page->p);
        break;
    case ROLE_ROW:
        paper_row(page->p);
        break;
    case ROLE_CELL:
        paper_cell(page->p);
        break;
    case ROLE_PRE:
        paper_block(page->p);
        page->pre++;
        break;
    case ROLE_BREAK:
        paper_text(page->p, " ", 1);
        break;
    case ROLE_TITLE:
        page->in_title = true;
        break;
    default:
        break;
    }
}

static void on_start(void *arg, const xmlChar *name, const xmlChar **list)
{
    struct page *page = arg;
    unsigned level = 0;
    enum role role = role_of((const char *)name, &level);

    if (++page->depth > DEPTH_MAX) {
        paper_refuse(page->p, "The page is nested too deeply.");
        xmlStopParser(page->parser);
        return;
    }
    if (role == ROLE_LINK) {
        const char *rel = attribute(list, "rel");
        if (rel == NULL || strcasestr(rel, "nofollow") == NULL) {
            link_take(page, attribute(list, "href"));
        }
    } else if (role == ROLE_BASE) {
        base_take(page, attribute(list, "href"));
    }
    if (page->skipped > 0 || role == ROLE_SKIP || is_hidden(list)) {
        page->skipped++;
        return;
    }
    role_open(page, role, level);
}

static void on_end(void *arg, const xmlChar *name)
{
    struct page *page = arg;
    unsigned level = 0;
    enum role role = role_of((const char *)name, &level);

    page->depth -= page->depth > 0;
    if (page->skipped > 0) {
        page->skipped--;
        return;
    }
    switch (role) {
    case ROLE_LIST:
        paper_block(page->p);
        page->lists -= page->lists > 0;
        break;
    case ROLE_TABLE:
        paper_table_end(page->p);
        break;
    case ROLE_PRE:
        paper_block(page->p);
        page->pre -= page->pre > 0;
        break;
    case ROLE_TITLE:
        page->in_title = false;
        break;
    case ROLE_BLOCK:
    case ROLE_HEADING:
    case ROLE_ITEM:
        paper_block(page->p);
        break;
    default:
        break;
    }
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct page *page = arg;

    if (page->skipped > 0 || len <= 0) {
        return;
    }
    if (page->in_title) {
        paper_title(page->p, (const char *)text, (size_t)len);
    } else if (page->pre > 0) {
        paper_raw(page->p, (const char *)text, (size_t)len);
    } else {
        paper_text(page->p, (const char *)text, (size_t)len);
    }
    if (paper_done(page->p)) {
        xmlStopParser(page->parser);
    }
}

/* Mistakes in pages are the rule. */
static void on_error(void *arg, const char *text, ...)
{
    (void)arg;
    (void)text;
}

void source_html(struct paper *p, const char *text, size_t len, const char *base)
{
    struct page page = {.p = p, .base = base};
    xmlSAXHandler sax = {.startElement = on_start,
                         .endElement = on_end,
                         .characters = on_text,
                         .ignorableWhitespace = on_text,
                         .warning = on_error,
                         .error = on_error};

    page.parser = htmlCreatePushParserCtxt(&sax, &page, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
    if (page.parser == NULL) {
        paper_refuse(p, "The page could not be read.");
        return;
    }
    htmlCtxtUseOptions(page.parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_IGNORE_ENC | HTML_PARSE_RECOVER);
    for (size_t at = 0; at < len && !paper_done(p); at += PIECE) {
        size_t size = len - at < PIECE ? len - at : PIECE;
        htmlParseChunk(page.parser, text + at, (int)size, 0);
    }
    if (!paper_done(p)) {
        htmlParseChunk(page.parser, text, 0, 1);
    }
    htmlFreeParserCtxt(page.parser);
}

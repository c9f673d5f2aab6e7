/* sitemap.c: sitemaps (sitemaps.org protocol 0.9): <urlset> of <url><loc>, <sitemapindex> of <sitemap><loc>;
 * plain or gzip. Also RSS and Atom are not sitemaps and give no addresses. */
#include <string.h>
#include <strings.h>

#include <libxml/parser.h>
#include <zlib.h>

#include "kb/source/formats.h"

#define UNPACKED_MAX (50u << 20) /* the protocol's own limit */
#define PIECE        65536
#define URL_BYTES    2000

struct reading {
    struct paper *p;
    xmlParserCtxtPtr parser;
    bool index, known, in_loc;
    struct buf loc;
};

static void on_start(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri,
                     int namespaces, const xmlChar **spaces, int count, int defaulted, const xmlChar **list)
{
    struct reading *r = arg;
    const char *name = (const char *)local;

    (void)uri, (void)namespaces, (void)spaces, (void)count, (void)defaulted, (void)list;
    if (strcmp(name, "sitemapindex") == 0 || strcmp(name, "urlset") == 0) {
        r->known = true;
        r->index = name[0] == 's';
    }
    r->in_loc = strcmp(name, "loc") == 0 && prefix == NULL;
    buf_reset(&r->loc);
}

static void on_text(void *arg, const xmlChar *text, int len)
{
    struct reading *r = arg;

    for (int i = 0; r->in_loc && i < len; i++) {
        if (text[i] > ' ') {
            buf_addc(&r->loc, (char)text[i]);
        }
    }
}

static void on_end(void *arg, const xmlChar *local, const xmlChar *prefix, const xmlChar *uri)
{
    struct reading *r = arg;
    char url[URL_BYTES + 16];
    const char *text = buf_str(&r->loc);

    (void)local, (void)prefix, (void)uri;
    bool web = strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
    if (r->in_loc && buf_ok(&r->loc) && web) {
        snprintf(url, sizeof url, "%s%s", r->index ? "sitemap:" : "", text);
        paper_link(r->p, url);
    }
    r->in_loc = false;
}

static void on_error(void *arg, const char *text, ...)
{
    (void)arg;
    (void)text;
}

/* Adds the unpacked bytes; false if they are none or too many. */
static bool unpack(const void *bytes, size_t size, struct buf *out)
{
    z_stream z = {.next_in = (void *)(uintptr_t)bytes, .avail_in = (uInt)size};
    unsigned char piece[16384];
    int rc = inflateInit2(&z, 15 + 32);

    while (rc == Z_OK && buf_ok(out)) {
        z.next_out = piece;
        z.avail_out = sizeof piece;
        rc = inflate(&z, Z_NO_FLUSH);
        buf_add(out, piece, sizeof piece - z.avail_out);
        if (rc == Z_OK && z.avail_in == 0 && z.avail_out == sizeof piece) {
            break;
        }
    }
    inflateEnd(&z);
    return rc == Z_STREAM_END && buf_ok(out);
}

/* Reads the XML. */
static void read_xml(struct reading *r, const char *xml, size_t size)
{
    xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                         .startElementNs = on_start,
                         .endElementNs = on_end,
                         .characters = on_text,
                         .warning = on_error,
                         .error = on_error};

    r->parser = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
    if (r->parser == NULL) {
        return;
    }
    xmlCtxtUseOptions(r->parser, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    for (size_t at = 0; at < size; at += PIECE) {
        xmlParseChunk(r->parser, xml + at, (int)(size - at < PIECE ? size - at : PIECE), 0);
    }
    xmlParseChunk(r->parser, xml, 0, 1);
    xmlFreeParserCtxt(r->parser);
}

void source_sitemap(struct paper *p, const char *bytes, size_t size)
{
    struct reading r = {.p = p};
    struct buf unpacked;

    buf_init(&r.loc, URL_BYTES);
    buf_init(&unpacked, UNPACKED_MAX);
    if (size > 2 && memcmp(bytes, "\x1F\x8B", 2) == 0) {
        if (unpack(bytes, size, &unpacked)) {
            read_xml(&r, buf_str(&unpacked), unpacked.len);
        } else {
            paper_refuse(p, "The packed sitemap is damaged or too large.");
        }
    } else {
        read_xml(&r, bytes, size);
    }
    if (!r.known) {
        paper_refuse(p, "The address holds no sitemap.");
    }
    buf_fini(&r.loc);
    buf_fini(&unpacked);
}

/* docs.c: the page under /docs on which people read and try this API, out of the program itself.
 *
 * The files of bridge/docs are in the program as the build compressed them; a client that does not take gzip
 * gets them unpacked. The viewer is Swagger UI, unmodified. Nothing of the page asks another host: the
 * Content-Security-Policy (reply_page_headers) forbids it, and inline scripts and styles with it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "bridge/api/call.h"
#include "bridge/api/docs.h"
#include "bridge/api/reply.h"
#include "queue/base/crypto.h"

#define UNPACKED_MAX (8u << 20)
#define ETAG_SIZE    20

/* The compressed file as symbol .. symbol_end. */
#define EMBED(symbol, name)                                                                   \
    __asm__(".section .rodata\n" #symbol ":\n.incbin \"" EMBED_DIR "/" name ".gz\"\n" #symbol \
            "_end:\n.byte 0\n.previous\n");                                                   \
    extern const unsigned char symbol[], symbol##_end[]

EMBED(docs_page_html, "page.html");
EMBED(docs_page_js, "page.js");
EMBED(docs_page_css, "page.css");
EMBED(docs_window_html, "window.html");
EMBED(docs_window_js, "window.js");
EMBED(docs_window_css, "window.css");
EMBED(docs_bundle_js, "swagger-ui-bundle.js");
EMBED(docs_bundle_css, "swagger-ui.css");

struct docs_file {
    const char *name, *type;
    const unsigned char *data, *end;
    char etag[ETAG_SIZE]; /* quoted */
};

static struct docs_file files[] = {
    {"page.html", "text/html; charset=utf-8", docs_page_html, docs_page_html_end, ""},
    {"page.js", "text/javascript; charset=utf-8", docs_page_js, docs_page_js_end, ""},
    {"page.css", "text/css; charset=utf-8", docs_page_css, docs_page_css_end, ""},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", docs_bundle_js, docs_bundle_js_end, ""},
    {"swagger-ui.css", "text/css; charset=utf-8", docs_bundle_css, docs_bundle_css_end, ""},
    {"window.js", "text/javascript; charset=utf-8", docs_window_js, docs_window_js_end, ""},
    {"window.css", "text/css; charset=utf-8", docs_window_css, docs_window_css_end, ""},
    {"window.html", "text/html; charset=utf-8", docs_window_html, docs_window_html_end, ""},
};
#define WINDOW 7 /* the row of window.html */
#define FILES (sizeof(files) / sizeof(files[0]))
static pthread_once_t etags_once = PTHREAD_ONCE_INIT;

/* A file's tag is the beginning of its hash. */
static void make_etags(void)
{
    char hash[65];
    for (unsigned i = 0; i < FILES; i++) {
        sha256_hex(files[i].data, (size_t)(files[i].end - files[i].data), hash);
        snprintf(files[i].etag, sizeof(files[i].etag), "\"%.16s\"", hash);
    }
}

/* Unpacks a whole file of the program. The caller frees. */
static char *unpack(const struct docs_file *file, size_t *size)
{
    z_stream stream = {.next_in = (unsigned char *)file->data, .avail_in = (uInt)(file->end - file->data)};
    char *out = xmalloc(UNPACKED_MAX);
    CHECK(inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK);
    stream.next_out = (unsigned char *)out;
    stream.avail_out = UNPACKED_MAX;
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
    *size = UNPACKED_MAX - stream.avail_out;
    inflateEnd(&stream);
    return out;
}

/* True if the client says that it takes gzip, and not that it does not. */
static bool takes_gzip(const struct call *c)
{
    const char *accept = http_header(c->req, "Accept-Encoding");
    const char *at = accept != NULL ? strstr(accept, "gzip") : NULL;
    if (at == NULL) {
        return false;
    }
    at += 4 + strspn(at + 4, " ");
    return strncmp(at, ";q=0", 4) != 0 || (at[4] == '.' && strspn(at + 5, "0") < strcspn(at + 5, ", "));
}

/* Sends one file, or 304 to a client that has it. */
static void send_file(struct call *c, const struct docs_file *file)
{
    const char *have = http_header(c->req, "If-None-Match");
    pthread_once(&etags_once, make_etags);
    http_reply_header(c->req, "ETag", file->etag);
    http_reply_header(c->req, "Cache-Control", "no-cache");
    http_reply_header(c->req, "Vary", "Accept-Encoding");
    reply_page_headers(c);
    if (have != NULL && strstr(have, file->etag) != NULL) {
        call_reply(c, 304, NULL);
    } else if (takes_gzip(c)) {
        http_reply_header(c->req, "Content-Encoding", "gzip");
        call_text(c, 200, file->type, (const char *)file->data, (size_t)(file->end - file->data));
    } else {
        size_t size;
        char *text = unpack(file, &size);
        call_text(c, 200, file->type, text, size);
        free(text);
    }
}

void docs_file(struct call *c)
{
    const char *name = call_param(c, "file");
    for (unsigned i = 1; i < FILES; i++) {
        if (strcmp(files[i].name, name) == 0) {
            send_file(c, &files[i]);
            return;
        }
    }
    call_fail(c, API_NOT_FOUND, NULL, "There is no such file.");
}

void docs_page(struct call *c)
{
    send_file(c, &files[0]);
}

void docs_window(struct call *c)
{
    send_file(c, &files[WINDOW]);
}

void docs_page_of(struct call *c, const char *document)
{
    static const char mark[] = "<html lang=\"en\"";
    size_t size;
    struct buf page;
    char *text = unpack(&files[0], &size);
    const char *at = memmem(text, size, mark, sizeof(mark) - 1);
    CHECK(at != NULL && strpbrk(document, "\"<>&") == NULL);
    size_t before = (size_t)(at - text) + sizeof(mark) - 1;
    buf_init(&page, size + strlen(document) + 64);
    buf_add(&page, text, before);
    buf_addf(&page, " data-document=\"%s\"", document);
    buf_add(&page, text + before, size - before);
    http_reply_header(c->req, "Cache-Control", "no-cache");
    reply_page_headers(c);
    call_text(c, 200, files[0].type, page.data, page.len);
    buf_fini(&page);
    free(text);
}

/* docs.c: the pages on which people read and try this API, out of the program itself.
 *
 * The files of bridge/docs stand in the program as they are and leave as assets (bridge/http/asset.h: packed
 * once, 304 to who has them). The viewer is Swagger UI, unmodified. Nothing of the pages asks another host:
 * the Content-Security-Policy (reply_page_headers) forbids it, and inline scripts and styles with it. */
#include <pthread.h>
#include <string.h>

#include "bridge/api/call.h"
#include "bridge/api/docs.h"
#include "bridge/api/reply.h"
#include "bridge/http/asset.h"

#define HTML   "text/html; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE  "text/css; charset=utf-8"

/* Every file: X(symbol, "path in bridge/docs", "name under /docs/", type). The pages have addresses of their
 * own. */
#define FILES(X)                                                                     \
    X(docs_page_html, "page.html", "", HTML)                                         \
    X(docs_page_js, "page.js", "page.js", SCRIPT)                                    \
    X(docs_page_css, "page.css", "page.css", STYLE)                                  \
    X(docs_window_html, "window.html", "", HTML)                                     \
    X(docs_window_js, "window.js", "window.js", SCRIPT)                              \
    X(docs_window_css, "window.css", "window.css", STYLE)                            \
    X(docs_bundle_js, "vendor/swagger-ui-bundle.js", "swagger-ui-bundle.js", SCRIPT) \
    X(docs_bundle_css, "vendor/swagger-ui.css", "swagger-ui.css", STYLE)

/* The bytes of a file as symbol .. symbol_end. */
#define X(symbol, path, name, type)                                                        \
    __asm__(".section .rodata\n" #symbol ":\n.incbin \"" EMBED_DIR "/" path "\"\n" #symbol \
            "_end:\n.byte 0\n.previous\n");                                                \
    extern const unsigned char symbol[], symbol##_end[];
FILES(X)
#undef X

enum file {
#define X(symbol, path, name, type) FILE_##symbol,
    FILES(X)
#undef X
        FILE_COUNT
};

static struct http_asset assets[FILE_COUNT];
static pthread_once_t assets_once = PTHREAD_ONCE_INIT;

static void assets_fill(void)
{
#define X(symbol, path, name, type)              \
    assets[FILE_##symbol].content_type = (type); \
    assets[FILE_##symbol].data = symbol;         \
    assets[FILE_##symbol].size = (size_t)(symbol##_end - symbol);
    FILES(X)
#undef X
}

/* Answers with a file. */
static void send_file(struct call *c, enum file file)
{
    pthread_once(&assets_once, assets_fill);
    reply_page_headers(c);
    call_asset(c, &assets[file]);
}

void docs_file(struct call *c)
{
    static const char *const names[] = {
#define X(symbol, path, name, type) name,
        FILES(X)
#undef X
    };
    const char *wanted = call_param(c, "file");

    for (int i = 0; i < FILE_COUNT; i++) {
        if (names[i][0] != '\0' && strcmp(names[i], wanted) == 0) {
            send_file(c, (enum file)i);
            return;
        }
    }
    call_fail(c, API_NOT_FOUND, NULL, "There is no such file.");
}

void docs_page(struct call *c)
{
    send_file(c, FILE_docs_page_html);
}

void docs_window(struct call *c)
{
    send_file(c, FILE_docs_window_html);
}

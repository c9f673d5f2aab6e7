/* files.c: media files over REST. A download is always an attachment of the type that the bytes themselves
 * show, under a policy that lets no browser run any of it: customers send these files. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bridge/api/call.h"
#include "channels/file.h"
#include "queue/base/blob.h"

#define FILE_MAX  (100u << 20)
#define PARTS_MAX 10

void files_info(struct call *c)
{
    json_t *file = call_find(c, KIND_FILE, call_param(c, "file"), NULL);
    if (file != NULL) {
        call_reply(c, 200, file_public(file));
    }
}

/* The name for Content-Disposition: characters beyond ASCII become '_'. */
static const char *header_name(struct call *c, const json_t *file)
{
    char *name = arena_strdup(c->arena, jx_str_or(file, "name", jx_str_or(file, "id", "file")));
    for (char *at = name; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || (unsigned char)*at > '~' || *at == '"' || *at == '\\') {
            *at = '_';
        }
    }
    return name;
}

void files_show(struct call *c)
{
    struct buf bytes;
    json_t *file = call_find(c, KIND_FILE, call_param(c, "file"), NULL);
    if (file == NULL) {
        return;
    }
    if (strcmp(jx_str_or(file, "state", ""), "ready") != 0) {
        bool failed = strcmp(jx_str_or(file, "state", ""), "failed") == 0;
        call_fail(c, failed ? API_NOT_FOUND : API_IMPOSSIBLE, NULL,
                  failed ? "The file could not be fetched from the platform."
                         : "The file is still being fetched.");
        return;
    }
    buf_init(&bytes, FILE_MAX);
    enum err rc = blob_get(jx_str_or(file, "sha256", ""), &bytes);
    if (rc != ERR_OK) {
        call_refuse(c, rc, NULL, "");
    } else {
        http_reply_header(c->req, "Content-Disposition",
                          arena_printf(c->arena, "attachment; filename=\"%s\"", header_name(c, file)));
        http_reply_header(c->req, "Content-Security-Policy", "sandbox; default-src 'none'");
        http_reply_header(c->req, "X-Content-Type-Options", "nosniff");
        http_reply_header(c->req, "Cache-Control", "private, max-age=86400");
        const char *type = jx_str_or(file, "mime_type", "application/octet-stream");
        call_text(c, 200, arena_strdup(c->arena, type), buf_str(&bytes), bytes.len);
    }
    buf_fini(&bytes);
}

/* ---- upload ---- */

/* One file of a body. */
struct piece {
    const char *data, *name, *type;
    size_t size;
};

/* The quoted value of a parameter such as filename="a.jpg" in a part's head; NULL if absent. */
static const char *parameter(struct call *c, const char *head, size_t size, const char *name)
{
    char *pattern = arena_printf(c->arena, "%s=\"", name);
    const char *at = memmem(head, size, pattern, strlen(pattern));
    if (at == NULL) {
        return NULL;
    }
    at += strlen(pattern);
    const char *end = memchr(at, '"', size - (size_t)(at - head));
    return end != NULL ? arena_strndup(c->arena, at, (size_t)(end - at)) : NULL;
}

/* The Content-Type of a part; NULL if it names none. */
static const char *part_type(struct call *c, const char *head, size_t size)
{
    char *text = arena_strndup(c->arena, head, size);
    const char *at = strcasestr(text, "content-type:");
    if (at == NULL) {
        return NULL;
    }
    at += strlen("content-type:");
    at += strspn(at, " ");
    return arena_strndup(c->arena, at, strcspn(at, "\r\n"));
}

/* Takes a multipart body apart; the number of files, 0 if it holds none. */
static unsigned multipart(struct call *c, const char *boundary, struct piece pieces[PARTS_MAX])
{
    size_t size, len;
    const char *body = http_body(c->req, &size), *end = body + size;
    char *mark = arena_printf(c->arena, "--%s", boundary);
    unsigned count = 0;
    len = strlen(mark);
    const char *at = memmem(body, size, mark, len);
    while (at != NULL && count < PARTS_MAX) {
        at += len;
        const char *blank = memmem(at, (size_t)(end - at), "\r\n\r\n", 4);
        const char *next = blank != NULL ? memmem(blank, (size_t)(end - blank), mark, len) : NULL;
        if (next == NULL || next - blank < 6) {
            break;
        }
        size_t head = (size_t)(blank - at);
        const char *field = parameter(c, at, head, "name"), *name = parameter(c, at, head, "filename");
        if (field != NULL && strcmp(field, "file") == 0) {
            pieces[count++] = (struct piece){.data = blank + 4,
                                             .size = (size_t)(next - blank) - 6,
                                             .name = name,
                                             .type = part_type(c, at, head)};
        }
        at = next;
    }
    return count;
}

/* The files of the body: multipart, or the body itself. */
static unsigned pieces_of(struct call *c, struct piece pieces[PARTS_MAX])
{
    const char *type = http_header(c->req, "Content-Type");
    const char *boundary = type != NULL ? strcasestr(type, "boundary=") : NULL;
    if (boundary != NULL && strncasecmp(type, "multipart/", 10) == 0) {
        boundary += strlen("boundary=");
        boundary += *boundary == '"';
        return multipart(c, arena_strndup(c->arena, boundary, strcspn(boundary, "\"; ")), pieces);
    }
    pieces[0] = (struct piece){.name = call_query(c, "name"), .type = type};
    pieces[0].data = http_body(c->req, &pieces[0].size);
    return pieces[0].size > 0 ? 1 : 0;
}

void files_upload(struct call *c)
{
    struct piece pieces[PARTS_MAX];
    unsigned count = pieces_of(c, pieces);
    json_t *answer = json_object(), *files = json_array();
    jx_set(answer, "files", files);
    call_keep(c, answer);
    if (count == 0) {
        call_fail(c, API_BAD_FIELD, "file", "file: the body holds no file.");
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        json_t *file = NULL;
        enum err rc = file_add(call_changes(c), c->part, pieces[i].name, pieces[i].type, pieces[i].data,
                               pieces[i].size, &file);
        if (rc != ERR_OK) {
            call_refuse(c, rc, "file", "");
            return;
        }
        jx_push(files, file_public(file));
        json_decref(file);
    }
    jx_set_str(answer, "url", jx_str(json_array_get(files, 0), "url"));
    call_commit(c, 201, json_incref(answer));
}

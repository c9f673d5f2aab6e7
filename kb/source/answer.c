/* answer.c: the child's output to sections; see answer.h. Whatever stands in it is a stranger's: it is
 * copied, never obeyed. */
#include "kb/source/answer.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Why a child that gave no answer ended. */
static const char *death_reason(const struct child_end *child)
{
    bool pdf = child->format == FORMAT_PDF;

    if (WIFSIGNALED(child->status)) {
        int number = WTERMSIG(child->status);
        return number == SIGXCPU || number == SIGKILL
                   ? "Reading the file took too long."
                   : "The file is damaged or too complex: its reader broke down over it.";
    }
    if (pdf && WEXITSTATUS(child->status) == 127) {
        return "PDF files cannot be read here: the program pdftotext is not installed.";
    }
    if (pdf && child->encrypted) {
        return "The PDF is protected by a password.";
    }
    return pdf ? "The PDF is damaged and cannot be read."
               : "The file could not be read; it may be damaged or need too much memory.";
}

static void answer_fail(struct extract_result *result, const char *reason)
{
    result->ok = false;
    result->reason = reason;
    result->count = result->link_count = 0;
}

/* The text of one PDF page: each page's form feed cut, odd characters gone; NULL if nothing is left. */
static const char *page_text(struct arena *arena, const char *text, size_t len)
{
    struct buf out;

    buf_init(&out, len * 3 + 16);
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c >= ' ' || c == '\n' || c == '\t') {
            buf_addc(&out, (char)c);
        }
    }
    const char *from = buf_str(&out);
    size_t size = out.len;
    while (size > 0 && strchr(" \n\t", from[0]) != NULL) {
        from++;
        size--;
    }
    while (size > 0 && strchr(" \n\t", from[size - 1]) != NULL) {
        size--;
    }
    const char *kept = size > 0 ? arena_strndup(arena, from, size) : NULL;
    buf_fini(&out);
    return kept;
}

/* Cuts pdftotext's output into pages. */
static void pages_read(const struct child_end *child, struct arena *arena, struct extract_result *result)
{
    const char *at = buf_str(child->answer), *end = at + child->answer->len;
    unsigned number = 0;

    if (WIFEXITED(child->status) ? WEXITSTATUS(child->status) != 0 : true) {
        answer_fail(result, death_reason(child));
        return;
    }
    struct extract_section *rows = arena_alloc(arena, (child->pages + 2) * sizeof *rows);
    while (at < end && number <= child->pages) {
        const char *stop = memchr(at, '\f', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        number++;
        const char *text = page_text(arena, at, (size_t)(stop - at));
        if (text != NULL) {
            rows[result->count++] = (struct extract_section){"", text, number};
        }
        at = stop + 1;
    }
    result->sections = rows;
    if (number > child->pages) {
        answer_fail(result,
                    arena_printf(arena, "The PDF has more than %u pages; split it into several files.",
                                 child->pages));
    } else if (result->count == 0) {
        answer_fail(result, "The PDF holds no text; it may hold only pictures of pages.");
    }
}

/* Takes the parser's answer apart. */
static void answer_read(const struct child_end *child, const json_t *answer, struct arena *arena,
                        struct extract_result *result)
{
    size_t i;
    const json_t *row, *sections = jx_arr(answer, "sections"), *links = jx_arr(answer, "links");

    if (!jx_bool(answer, "ok", false)) {
        const char *reason = jx_str_or(answer, "reason", "");
        answer_fail(result, reason[0] != '\0' ? arena_strdup(arena, reason) : death_reason(child));
        return;
    }
    result->title = arena_strdup(arena, jx_str_or(answer, "title", ""));
    struct extract_section *rows = arena_alloc(arena, (json_array_size(sections) + 1) * sizeof *rows);
    const char **urls = arena_alloc(arena, (json_array_size(links) + 1) * sizeof *urls);
    json_array_foreach (sections, i, row) {
        const char *text = jx_str_or(row, "text", "");
        if (text[0] != '\0') {
            rows[result->count++] = (struct extract_section){jx_str_or(row, "title", ""), text, 0};
        }
    }
    json_array_foreach (links, i, row) {
        const char *url = json_string_value(row);
        if (url != NULL) {
            urls[result->link_count++] = url;
        }
    }
    result->sections = rows;
    result->links = urls;
    if (result->count == 0 && !child->links) {
        answer_fail(result, "The file holds no text.");
    }
}

json_t *child_answer(const struct child_end *child, struct arena *arena, struct extract_result *result)
{
    json_t *answer = NULL;

    if (child->format == FORMAT_PDF) {
        pages_read(child, arena, result);
    } else if (jx_parse_lenient(buf_str(child->answer), child->answer->len, &answer) != ERR_OK) {
        answer_fail(result, death_reason(child));
        answer = NULL;
    } else {
        answer_read(child, answer, arena, result);
    }
    return answer;
}

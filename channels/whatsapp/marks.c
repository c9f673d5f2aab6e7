/* marks.c: Markdown, which models write whatever they are told, as WhatsApp's own marks: bold *x*, italic
 * _x_, struck ~x~, code as it is; headings become bold lines, links "text (address)", bullets "- ". What only
 * looks like a mark (2 * 3, snake_case) stays as it is: a mark opens before and closes behind a character
 * that is no blank, outside words. */
#include <ctype.h>
#include <string.h>

#include "channels/whatsapp/whatsapp.h"

/* Markdown's pairs, the longest first, and ours. */
static const struct mark {
    const char *theirs, *ours;
} marks[] = {{"***", "*_"}, {"**", "*"}, {"__", "*"}, {"~~", "~"}, {"*", "_"}};

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

/* Where the closing mark of a run that begins at text stands, within the line; NULL if it has none. */
static const char *closing(const char *text, const char *mark, size_t len)
{
    if (*text == '\0' || isspace((unsigned char)*text) || *text == mark[0]) {
        return NULL;
    }
    for (const char *at = text + 1; *at != '\0' && *at != '\n'; at++) {
        bool here = strncmp(at, mark, len) == 0 && at[len] != mark[0];
        if (here && !isspace((unsigned char)at[-1]) && at[-1] != mark[0] && !is_word(at[len])) {
            return at;
        }
    }
    return NULL;
}

static void line_marks(const char *text, size_t len, struct buf *out, bool bold);

/* A link at text: its size in Markdown, 0 if it is none. An address as its own text is said once. */
static size_t link_add(const char *text, const char *end, struct buf *out)
{
    const char *middle = memmem(text, (size_t)(end - text), "](", 2);
    const char *close = middle != NULL ? memchr(middle, ')', (size_t)(end - middle)) : NULL;

    if (close == NULL || middle == text + 1 || memchr(text, '\n', (size_t)(close - text)) != NULL) {
        return 0;
    }
    size_t words = (size_t)(middle - text) - 1, address = (size_t)(close - middle) - 2;
    if (words != address || memcmp(text + 1, middle + 2, words) != 0) {
        line_marks(text + 1, words, out, false);
        buf_adds(out, " (");
        buf_add(out, middle + 2, address);
        buf_addc(out, ')');
    } else {
        buf_add(out, text + 1, words);
    }
    return (size_t)(close - text) + 1;
}

/* A marked run at text: its size, 0 if there is none. bold: inside a bold line, where bold is no news. */
static size_t run_add(const char *text, const char *end, char before, struct buf *out, bool bold)
{
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        size_t len = strlen(marks[i].theirs);
        if ((size_t)(end - text) < 2 * len || strncmp(text, marks[i].theirs, len) != 0 || is_word(before)) {
            continue;
        }
        const char *close = closing(text + len, marks[i].theirs, len);
        if (close == NULL || close >= end) {
            continue;
        }
        const char *ours = bold && marks[i].ours[0] == '*' ? marks[i].ours + 1 : marks[i].ours;
        buf_adds(out, ours);
        line_marks(text + len, (size_t)(close - text) - len, out, bold || marks[i].ours[0] == '*');
        for (size_t k = strlen(ours); k > 0; k--) {
            buf_addc(out, ours[k - 1]);
        }
        return (size_t)(close - text) + len;
    }
    return 0;
}

/* Code stands as it is: its size with the ticks, 0 if there is none. */
static size_t code_size(const char *text, const char *end)
{
    const char *close = *text == '`' ? memchr(text + 1, '`', (size_t)(end - text) - 1) : NULL;

    return close != NULL ? (size_t)(close - text) + 1 : 0;
}

/* One line without its beginning. */
static void line_marks(const char *text, size_t len, struct buf *out, bool bold)
{
    const char *end = text + len;
    char before = ' ';

    while (text < end) {
        size_t taken = code_size(text, end);
        if (taken > 0) {
            buf_add(out, text, taken);
        } else if (*text == '[') {
            taken = link_add(text, end, out);
        } else if (*text == '*' || *text == '_' || *text == '~') {
            taken = run_add(text, end, before, out, bold);
        }
        if (taken == 0) {
            buf_addc(out, *text);
            taken = 1;
        }
        before = text[taken - 1];
        text += taken;
    }
}

/* A whole line: heading, bullet or plain. */
static void line_add(const char *line, size_t len, struct buf *out)
{
    size_t blanks = strspn(line, " ");
    size_t hashes = blanks < len ? strspn(line + blanks, "#") : 0;

    if (blanks < len && hashes >= 1 && hashes <= 6 && line[blanks + hashes] == ' ') {
        const char *title = line + blanks + hashes + 1;
        size_t size = len - blanks - hashes - 1;
        while (size > 0 && (title[size - 1] == '#' || title[size - 1] == ' ')) {
            size--;
        }
        buf_addc(out, '*');
        line_marks(title, size, out, true);
        buf_addc(out, '*');
        return;
    }
    if (blanks + 1 < len && strchr("*+", line[blanks]) != NULL && line[blanks + 1] == ' ') {
        buf_add(out, line, blanks);
        buf_adds(out, "- ");
        line_marks(line + blanks + 2, len - blanks - 2, out, false);
        return;
    }
    line_marks(line, len, out, false);
}

void whatsapp_marks(const char *text, struct buf *out)
{
    bool code = false;

    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        bool fence = len >= 3 && strncmp(text, "```", 3) == 0;
        if (fence) {
            buf_adds(out, "```"); /* the name of a language says nothing to a customer */
            code = !code;
        } else if (code) {
            buf_add(out, text, len);
        } else {
            line_add(text, len, out);
        }
        text += len;
        if (*text == '\n') {
            buf_addc(out, *text++);
        }
    }
}

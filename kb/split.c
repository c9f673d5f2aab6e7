/* split.c: blocks (heading, paragraph, list item, table row, fenced code) are read line by line and joined to
 * passages.
 *
 * A heading always starts a new passage. Blocks under one heading are joined while the passage stays below
 * the goal; a block above the maximum is cut at the last sentence end, line end or space before the goal. */
#include <string.h>

#include "kb/split.h"
#include "kb/text.h"
#include "queue/base/codec.h"

#define LEVELS        6
#define HEAD_MAX      400 /* bytes of a table's head that are worth repeating */
#define TITLE_MAX     200 /* bytes of one heading that are kept: its path stands beside each passage below it */
#define SENTENCE_LOOK 64 /* bytes behind the goal that may decide whether a sentence ends before it */

struct line {
    const char *text;
    size_t at, size; /* without the line end */
    size_t next;     /* start of the following line */
};

struct splitter {
    const char *text;
    size_t len;
    bool markdown;
    struct arena *arena;
    struct kb_passages *out;
    const char *levels[LEVELS]; /* open headings, NULL where there is none */
    const char *heading;        /* their path */
    size_t from, to;            /* the open passage; from == to: none */
    size_t block;               /* start of the open block; SIZE_MAX: none */
    size_t block_end;
    size_t head, head_size; /* the open table's head rows; size 0: no table is open */
    size_t kept;            /* bytes of them that the open passage repeats */
    bool fenced;
};

/* ---- sentences ---- */

/* True for a full stop, question or exclamation mark of any script we know of. */
static bool is_stop(int32_t cp)
{
    static const int32_t STOPS[] = {'.', '!', '?', 0x2026, 0x0964, 0x061F, 0x06D4, 0x3002, 0xFF01, 0xFF1F};

    for (size_t i = 0; i < sizeof STOPS / sizeof *STOPS; i++) {
        if (STOPS[i] == cp) {
            return true;
        }
    }
    return false;
}

/* True if a sentence may end before position at: a space or the end, and what follows does not go on in lower
 * case. */
static bool may_end(const char *text, size_t len, size_t at, int32_t stop)
{
    if (at >= len || stop > 0x2FFF) {
        return true;
    }
    if (text[at] != ' ' && text[at] != '\n' && text[at] != '\t' && text[at] != '\r') {
        return false;
    }
    while (at < len && (text[at] == ' ' || text[at] == '\t')) {
        at++;
    }
    return at >= len || !(text[at] >= 'a' && text[at] <= 'z');
}

size_t kb_sentence_end(const char *text, size_t len, size_t at)
{
    while (at < len) {
        int32_t cp;
        if (text[at] == '\n') {
            return at;
        }
        at += kb_cp_next(text + at, len - at, &cp);
        if (!is_stop(cp)) {
            continue;
        }
        while (at < len && strchr("\"')]", text[at]) != NULL && text[at] != '\0') {
            at++;
        }
        if (may_end(text, len, at, cp)) {
            return at;
        }
    }
    return len;
}

/* ---- passages ---- */

/* Appends a passage without the white space around it. */
static void passage_add(struct splitter *s, size_t from, size_t to)
{
    while (from < to && strchr(" \t\r\n", s->text[from]) != NULL) {
        from++;
    }
    while (to > from && strchr(" \t\r\n", s->text[to - 1]) != NULL) {
        to--;
    }
    if (from == to) {
        return;
    }
    struct kb_passages *out = s->out;
    if (out->count == out->room) {
        size_t room = out->room == 0 ? 8 : out->room * 2;
        struct kb_passage *rows = arena_alloc(s->arena, room * sizeof *rows);
        if (out->count > 0) {
            memcpy(rows, out->rows, out->count * sizeof *rows);
        }
        out->rows = rows;
        out->room = room;
    }
    out->rows[out->count++] = (struct kb_passage){from, to - from, s->heading, s->head, s->kept};
}

/* Where to cut a block that starts at from: behind the last sentence, line or word below the goal. */
static size_t cut_point(const struct splitter *s, size_t from, size_t to)
{
    size_t limit = from + KB_PASSAGE_GOAL, best = 0;
    size_t stop = to - limit > SENTENCE_LOOK ? limit + SENTENCE_LOOK : to;

    for (size_t at = from; at < limit;) {
        size_t end = kb_sentence_end(s->text, stop, at);
        if (end > limit) {
            break;
        }
        best = end;
        at = end == at ? at + 1 : end;
    }
    if (best > from + KB_PASSAGE_GOAL / 4) {
        return best;
    }
    for (size_t at = limit; at > from + KB_PASSAGE_GOAL / 2; at--) {
        if (s->text[at] == ' ' || s->text[at] == '\n') {
            return at;
        }
    }
    while (limit > from + 1 && ((unsigned char)s->text[limit] & 0xC0) == 0x80) {
        limit--;
    }
    return limit;
}

/* Ends the open passage. */
static void passage_end(struct splitter *s)
{
    passage_add(s, s->from, s->to);
    s->from = s->to = s->len;
    s->kept = 0;
}

/* Takes one whole block into the open passage or into one of its own. */
static void block_take(struct splitter *s, size_t from, size_t to)
{
    if (s->from < s->to && to - s->from > KB_PASSAGE_GOAL) {
        passage_end(s);
    }
    while (to - from > KB_PASSAGE_MAX) {
        size_t cut = cut_point(s, from, to);
        passage_add(s, from, cut);
        from = cut;
    }
    if (s->from >= s->to) {
        s->from = from;
        s->kept = from > s->head ? s->head_size : 0;
    }
    s->to = to;
}

/* Ends the open block. */
static void block_end(struct splitter *s)
{
    if (s->block != SIZE_MAX) {
        block_take(s, s->block, s->block_end);
    }
    s->block = SIZE_MAX;
}

/* ---- lines ---- */

/* The line that starts at `at`. */
static struct line line_at(const struct splitter *s, size_t at)
{
    const char *end = memchr(s->text + at, '\n', s->len - at);
    size_t stop = end == NULL ? s->len : (size_t)(end - s->text);
    size_t size = stop - at;

    size -= size > 0 && s->text[stop - 1] == '\r';
    return (struct line){s->text + at, at, size, end == NULL ? s->len : stop + 1};
}

/* Bytes of white space in front. */
static size_t indent_of(const struct line *l)
{
    size_t n = 0;

    while (n < l->size && (l->text[n] == ' ' || l->text[n] == '\t')) {
        n++;
    }
    return n;
}

/* "- x", "* x", "+ x", "• x", "3. x", "3) x", or a table row. */
static bool is_item(const struct line *l)
{
    size_t at = indent_of(l), digits = 0;

    if (at < l->size && l->text[at] == '|') {
        return true;
    }
    if (at + 1 < l->size && strchr("-*+", l->text[at]) != NULL && l->text[at + 1] == ' ') {
        return true;
    }
    if (l->size - at > 3 && memcmp(l->text + at, "\xE2\x80\xA2", 3) == 0) {
        return true;
    }
    while (at + digits < l->size && digits < 4 && l->text[at + digits] >= '0' &&
           l->text[at + digits] <= '9') {
        digits++;
    }
    at += digits;
    return digits > 0 && at + 1 < l->size && (l->text[at] == '.' || l->text[at] == ')') &&
           l->text[at + 1] == ' ';
}

/* Level 1..6 of an ATX heading ("## Title"), its title into *from and *size; 0 if it is none. */
static size_t atx_level(const struct line *l, size_t *from, size_t *size)
{
    size_t at = indent_of(l), level = 0;

    while (at + level < l->size && l->text[at + level] == '#') {
        level++;
    }
    if (at > 3 || level == 0 || level > LEVELS || at + level >= l->size || l->text[at + level] != ' ') {
        return 0;
    }
    size_t start = at + level, end = l->size;
    while (start < end && l->text[start] == ' ') {
        start++;
    }
    while (end > start && (l->text[end - 1] == '#' || l->text[end - 1] == ' ')) {
        end--;
    }
    *from = start;
    *size = end - start;
    return level;
}

/* Level 1 or 2 if the line after l underlines it ("===", "---"); 0 otherwise. */
static size_t setext_level(const struct splitter *s, const struct line *l)
{
    if (l->size == 0 || l->next >= s->len || is_item(l)) {
        return 0;
    }
    struct line under = line_at(s, l->next);
    size_t same = 0;
    char mark = under.size > 0 ? under.text[0] : 0;
    while (same < under.size && under.text[same] == mark) {
        same++;
    }
    if (same < 3 || same != under.size) {
        return 0;
    }
    return mark == '=' ? 1 : mark == '-' ? 2 : 0;
}

/* Opens a heading: the passage before it ends, deeper headings close, the path is made anew. */
static void heading_open(struct splitter *s, size_t level, const char *title, size_t size)
{
    struct buf path;

    block_end(s);
    passage_end(s);
    s->levels[level - 1] = arena_strndup(s->arena, title, utf8_prefix(title, size, TITLE_MAX));
    for (size_t i = level; i < LEVELS; i++) {
        s->levels[i] = NULL;
    }
    buf_init(&path, 4096);
    for (size_t i = 0; i < LEVELS; i++) {
        if (s->levels[i] != NULL && s->levels[i][0] != '\0') {
            buf_addf(&path, "%s%s", path.len > 0 ? " > " : "", s->levels[i]);
        }
    }
    s->heading = arena_strdup(s->arena, buf_str(&path));
    buf_fini(&path);
}

/* Takes a heading line if the text at l is one; returns where to read on, 0 if it is none. */
static size_t heading_take(struct splitter *s, const struct line *l)
{
    size_t from = 0, size = l->size, next = l->next;
    size_t level = atx_level(l, &from, &size);

    if (level == 0) {
        level = s->block == SIZE_MAX ? setext_level(s, l) : 0;
        next = level > 0 ? line_at(s, l->next).next : 0;
    }
    if (level == 0) {
        return 0;
    }
    heading_open(s, level, l->text + from, size);
    return next;
}

/* True if the line is the rule below a table's head: "|---|:--:|". */
static bool is_table_rule(const struct line *l)
{
    size_t dashes = 0, at = indent_of(l);

    if (at >= l->size || l->text[at] != '|') {
        return false;
    }
    for (; at < l->size; at++) {
        dashes += l->text[at] == '-';
        if (strchr("|-: ", l->text[at]) == NULL) {
            return false;
        }
    }
    return dashes >= 2;
}

/* Opens a table at its first row, closes it behind its last. */
static void table_follow(struct splitter *s, const struct line *l)
{
    size_t at = indent_of(l);
    bool row = at < l->size && l->text[at] == '|';

    if (!row && s->head_size > 0) {
        block_end(s);
        s->head_size = 0;
    }
    if (row && s->head_size == 0 && l->next < s->len) {
        struct line rule = line_at(s, l->next);
        if (is_table_rule(&rule) && rule.at + rule.size - l->at <= HEAD_MAX) {
            block_end(s);
            s->head = l->at;
            s->head_size = rule.at + rule.size - l->at;
        }
    }
}

/* Adds the line to the open block, or opens one with it. */
static void line_join(struct splitter *s, const struct line *l)
{
    if (s->block == SIZE_MAX) {
        s->block = l->at;
    }
    s->block_end = l->at + l->size;
}

/* Takes one line; returns where to read on. */
static size_t line_take(struct splitter *s, const struct line *l)
{
    size_t indent = indent_of(l);
    bool fence = s->markdown && l->size - indent >= 3 && memcmp(l->text + indent, "```", 3) == 0;

    if (fence || s->fenced) {
        s->fenced = fence ? !s->fenced : s->fenced;
        line_join(s, l);
        return l->next;
    }
    if (s->markdown) {
        table_follow(s, l);
    }
    if (indent == l->size) {
        block_end(s);
        return l->next;
    }
    size_t next = s->markdown ? heading_take(s, l) : 0;
    if (next > 0) {
        return next;
    }
    if (is_item(l)) {
        block_end(s);
    }
    line_join(s, l);
    return l->next;
}

void kb_split(const char *text, size_t len, enum kb_split_mode mode, struct arena *arena,
              struct kb_passages *out)
{
    struct splitter s = {.text = text,
                         .len = len,
                         .markdown = mode == KB_SPLIT_MARKDOWN,
                         .arena = arena,
                         .out = out,
                         .heading = "",
                         .block = SIZE_MAX,
                         .from = len,
                         .to = len};

    *out = (struct kb_passages){0};
    if (mode == KB_SPLIT_WHOLE && len <= KB_FAQ_MAX) {
        passage_add(&s, 0, len);
        return;
    }
    for (size_t at = 0; at < len;) {
        struct line l = line_at(&s, at);
        at = line_take(&s, &l);
    }
    block_end(&s);
    passage_end(&s);
}

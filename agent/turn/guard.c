/* guard.c: what a model wrote is data: checked and cut before a customer sees it. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "agent/turn/guard.h"

#include "queue/base/buf.h"
#include "queue/base/codec.h"

#define DIGITS_LEAST 8  /* of a telephone number in its international form */
#define DIGITS_MOST  15 /* E.164 */
#define SECRET_RUN   16 /* letters and digits behind a key's prefix that make it look real */

static const char *const secret_prefixes[] = {"ck_live_", "ck_test_", "whsec_", "sk-", "sk_live_", "Bearer "};

static bool is_secret_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '+' || c == '/';
}

/* True if something shaped like a key follows one of the known prefixes. */
static bool holds_secret(const char *text)
{
    for (size_t i = 0; i < sizeof secret_prefixes / sizeof *secret_prefixes; i++) {
        const char *prefix = secret_prefixes[i];
        for (const char *at = strstr(text, prefix); at != NULL; at = strstr(at + 1, prefix)) {
            size_t run = 0;
            while (is_secret_char(at[strlen(prefix) + run])) {
                run++;
            }
            if (run >= SECRET_RUN) {
                return true;
            }
        }
    }
    return false;
}

static bool is_host_char(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '.';
}

/* True if the text names the host (size bytes) as a word of its own. */
static bool names_host(const char *text, const char *host, size_t size)
{
    for (const char *at = text; text != NULL && *at != '\0'; at++) {
        bool begins = at == text || !is_host_char(at[-1]);
        if (begins && strncasecmp(at, host, size) == 0) {
            const char *end = at + size;
            bool goes_on = isalnum((unsigned char)*end) || *end == '-' ||
                           (*end == '.' && isalnum((unsigned char)end[1]));
            if (!goes_on) {
                return true;
            }
        }
    }
    return false;
}

/* True if a source or the persona names the host. */
static bool is_known_host(const struct guard *guard, const char *host, size_t size)
{
    const struct kb_result *sources = guard->sources;

    for (size_t i = 0; sources != NULL && i < sources->count; i++) {
        if (names_host(sources->hits[i].chunk.text, host, size) ||
            names_host(sources->hits[i].chunk.title, host, size)) {
            return true;
        }
    }
    return names_host(guard->persona, host, size);
}

/* The host in a link at text: behind a scheme, or "www."; or a name with a path. 0 if there is no link. */
static size_t link_host(const char *text, const char **host)
{
    size_t size = 0;
    bool dotted = false;

    *host = text;
    if (strncasecmp(text, "http://", 7) == 0) {
        *host = text + 7;
    } else if (strncasecmp(text, "https://", 8) == 0) {
        *host = text + 8;
    }
    bool marked = *host != text || strncasecmp(text, "www.", 4) == 0;
    while (is_host_char((*host)[size])) {
        dotted = dotted || ((*host)[size] == '.' && isalpha((unsigned char)(*host)[size + 1]));
        size++;
    }
    while (size > 0 && (*host)[size - 1] == '.') {
        size--;
    }
    bool path = (*host)[size] == '/' || (*host)[size] == '?';
    return marked || (dotted && path) ? size : 0;
}

/* The whole link's length: up to a blank or what closes it; the brackets of a numeric host belong to it. */
static size_t link_size(const char *text)
{
    const char *numeric = strstr(text, "://[");
    size_t head = numeric != NULL && numeric - text <= 5 ? strcspn(text, "] \t\r\n") : 0;
    size_t n = head + (head > 0 && text[head] == ']' ? 1 : 0);

    n += strcspn(text + n, " \t\r\n<>\"'`)]}");
    while (n > 0 && strchr(".,;:!?", text[n - 1]) != NULL) {
        n--;
    }
    return n;
}

/* Leaves a link of size bytes out, and brackets that held nothing else. Returns the bytes of text that are
 * done. */
static size_t drop_link(struct buf *out, const char *text, size_t size)
{
    bool bracketed = out->len > 0 && strchr("(<[", out->data[out->len - 1]) != NULL;

    if (bracketed && text[size] != '\0' && strchr(")>]", text[size]) != NULL) {
        out->data[--out->len] = '\0';
        size++;
    }
    while (out->len > 0 && out->data[out->len - 1] == ' ' && (text[size] == ' ' || text[size] == '\0')) {
        out->data[--out->len] = '\0';
    }
    return size;
}

/* What stands at a place of the text. */
struct link {
    size_t size; /* bytes of the link, 0: none here */
    bool known;  /* may stay */
};

/* Looks for a link at text. A link with a scheme but without a plain host ("https://[::1]/"), or with
 * something before an '@', is never known. */
static struct link link_at(const struct guard *guard, const char *text)
{
    const char *host;
    size_t host_size = link_host(text, &host);
    bool schemed = strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
    struct link link = {0};

    if (host_size == 0 && !schemed) {
        return link;
    }
    link.size = link_size(text);
    link.known = host_size > 0 && host[host_size] != '@' && host[host_size] != ':' &&
                 is_known_host(guard, host, host_size);
    return link;
}

/* Copies the text without links to hosts that nobody of ours named. */
static void copy_links(const struct guard *guard, const char *text, struct buf *out,
                       struct guard_report *report)
{
    for (size_t i = 0; text[i] != '\0';) {
        bool begins = i == 0 || !is_host_char(text[i - 1]);
        struct link link = begins ? link_at(guard, text + i) : (struct link){0};
        if (link.size == 0) {
            buf_addc(out, text[i++]);
        } else if (link.known) {
            buf_add(out, text + i, link.size);
            i += link.size;
        } else {
            report->links_removed++;
            i += drop_link(out, text + i, link.size);
        }
    }
}

/* The digits of a number in international form ("+34 600-12 34 56") at text, and how many bytes it takes; 0
 * if there is none. */
static size_t number_at(const char *text, char digits[DIGITS_MOST + 1])
{
    size_t count = 0, size = 0;

    if (text[0] != '+' || !isdigit((unsigned char)text[1])) {
        return 0;
    }
    for (size_t i = 1; isdigit((unsigned char)text[i]) || strchr(" -./()", text[i]) != NULL; i++) {
        if (text[i] == '\0' || (isdigit((unsigned char)text[i]) && count == DIGITS_MOST)) {
            break;
        }
        if (isdigit((unsigned char)text[i])) {
            digits[count++] = text[i];
            size = i + 1;
        }
    }
    digits[count] = '\0';
    return count >= DIGITS_LEAST ? size : 0;
}

/* True if the text holds these digits one after the other, whatever stands between them but letters. */
static bool names_number(const char *text, const char *digits)
{
    for (const char *at = text; at != NULL && *at != '\0'; at++) {
        size_t found = 0;
        for (const char *each = at; digits[found] != '\0' && *each != '\0' && !isalpha((unsigned char)*each);
             each++) {
            if (isdigit((unsigned char)*each) && *each != digits[found]) {
                break;
            }
            found += isdigit((unsigned char)*each) ? 1 : 0;
        }
        if (digits[found] == '\0') {
            return true;
        }
    }
    return false;
}

/* True if a source, the persona or the customer named the number; a source may leave the country out. */
static bool is_known_number(const struct guard *guard, const char *digits)
{
    const struct kb_result *sources = guard->sources;
    const char *local = digits + (strlen(digits) > DIGITS_LEAST + 3 ? 3 : 0);
    bool known = names_number(guard->persona, digits) || names_number(guard->customer, digits) ||
                 names_number(guard->phone, digits);

    for (size_t i = 0; !known && sources != NULL && i < sources->count; i++) {
        known = names_number(sources->hits[i].chunk.text, local) ||
                names_number(sources->hits[i].chunk.title, local);
    }
    return known;
}

/* Copies the text without telephone numbers that nobody of ours named. */
static void copy_numbers(const struct guard *guard, const char *text, struct buf *out,
                         struct guard_report *report)
{
    char digits[DIGITS_MOST + 1];

    for (size_t i = 0; text[i] != '\0';) {
        size_t size = number_at(text + i, digits);
        if (size == 0 || is_known_number(guard, digits)) {
            buf_add(out, text + i, size > 0 ? size : 1);
            i += size > 0 ? size : 1;
        } else {
            report->numbers_removed++;
            i += drop_link(out, text + i, size);
        }
    }
}

/* The end of the last whole sentence within size bytes, or 0. */
static size_t sentence_end(const char *text, size_t size)
{
    static const char *const ends[] = {
        ".", "!", "?", "\n", "\xe3\x80\x82", "\xef\xbc\x81", "\xef\xbc\x9f", "\xe0\xa5\xa4"};

    for (size_t i = size; i > 0; i--) {
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
            size_t n = strlen(ends[e]);
            if (i >= n && memcmp(text + i - n, ends[e], n) == 0) {
                return i;
            }
        }
    }
    return 0;
}

/* Cuts at the end of a sentence, else at a character. */
static void cut(char *text, size_t max)
{
    size_t size = utf8_prefix(text, strlen(text), max);
    size_t end = sentence_end(text, size);

    text[end > 0 ? end : size] = '\0';
}

/* Removes blanks at both ends. */
static char *trim(char *text)
{
    text += strspn(text, " \t\r\n");
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1])) {
        size--;
    }
    text[size] = '\0';
    return text;
}

/* Removes control characters other than newline. */
static void drop_controls(char *text)
{
    char *to = text;

    for (const char *from = text; *from != '\0'; from++) {
        unsigned char c = (unsigned char)*from;
        if (c >= 0x20 || c == '\n') {
            *to++ = (char)(c == 0x7f ? ' ' : c);
        }
    }
    *to = '\0';
}

char *guard_text(const struct guard *guard, const char *text, struct arena *arena,
                 struct guard_report *report)
{
    struct buf out;

    memset(report, 0, sizeof *report);
    if (holds_secret(text) ||
        (guard->canary != NULL && guard->canary[0] != '\0' && strstr(text, guard->canary) != NULL)) {
        report->withheld = true;
        return arena_strdup(arena, "");
    }
    buf_init(&out, strlen(text) + 1);
    copy_links(guard, text, &out, report);
    char *clean = arena_strndup(arena, buf_str(&out), out.len);
    buf_reset(&out);
    copy_numbers(guard, clean, &out, report);
    clean = arena_strndup(arena, buf_str(&out), out.len);
    buf_fini(&out);
    drop_controls(clean);
    if (strlen(clean) > GUARD_TEXT_MAX) {
        cut(clean, GUARD_TEXT_MAX);
    } else if (guard->truncated) {
        cut(clean, strlen(clean));
    }
    return trim(clean);
}

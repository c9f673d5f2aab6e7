/* robots.c: rules of robots.txt; see robots.h. */
#include "kb/source/robots.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "queue/base/error.h"

#define RULES_MAX 2000
#define VALUE_MAX 1000
#define DELAY_MAX 30

struct rule {
    char *pattern;
    bool allow;
};

struct group {
    struct rule rules[RULES_MAX];
    size_t count;
    unsigned delay;
    bool found;
};

struct robots {
    struct group own, all;
};

/* One line, taken apart: name and value without white space and comment. */
static bool line_parts(const char *line, size_t len, char name[32], char value[VALUE_MAX + 1])
{
    const char *mark = memchr(line, '#', len);
    len = mark != NULL ? (size_t)(mark - line) : len;
    const char *colon = memchr(line, ':', len);
    if (colon == NULL) {
        return false;
    }
    const char *from = line, *end = colon;
    while (from < end && (unsigned char)*from <= ' ') {
        from++;
    }
    while (end > from && (unsigned char)end[-1] <= ' ') {
        end--;
    }
    const char *text = colon + 1, *stop = line + len;
    while (text < stop && (unsigned char)*text <= ' ') {
        text++;
    }
    while (stop > text && (unsigned char)stop[-1] <= ' ') {
        stop--;
    }
    if (end - from > 31 || stop - text > VALUE_MAX) {
        return false;
    }
    memcpy(name, from, (size_t)(end - from));
    name[end - from] = '\0';
    memcpy(value, text, (size_t)(stop - text));
    value[stop - text] = '\0';
    return true;
}

/* Adds a rule or the delay to a group. */
static void group_take(struct group *group, const char *name, const char *value)
{
    bool allow = strcasecmp(name, "allow") == 0;

    if ((allow || strcasecmp(name, "disallow") == 0) && value[0] != '\0' && group->count < RULES_MAX) {
        group->rules[group->count++] = (struct rule){xstrdup(value), allow};
    } else if (strcasecmp(name, "crawl-delay") == 0) {
        unsigned long delay = strtoul(value, NULL, 10);
        group->delay = delay > DELAY_MAX ? DELAY_MAX : (unsigned)delay;
    }
}

struct robots *robots_parse(const char *text, size_t len)
{
    struct robots *robots = xcalloc(1, sizeof *robots);
    char name[32], value[VALUE_MAX + 1];
    bool own = false, all = false, in_names = false;

    len = len > ROBOTS_MAX ? ROBOTS_MAX : len;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t line = end == NULL ? len - at : (size_t)(end - text) - at;
        bool good = line_parts(text + at, line, name, value);
        at += line + 1;
        if (!good) {
            continue;
        }
        if (strcasecmp(name, "user-agent") == 0) {
            own = in_names && own;
            all = in_names && all;
            own = own || strncasecmp(value, ROBOTS_TOKEN, strlen(ROBOTS_TOKEN)) == 0;
            all = all || strcmp(value, "*") == 0;
            robots->own.found = robots->own.found || own;
            in_names = true;
            continue;
        }
        in_names = false;
        if (own) {
            group_take(&robots->own, name, value);
        }
        if (all) {
            group_take(&robots->all, name, value);
        }
    }
    return robots;
}

static void group_fini(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        free(group->rules[i].pattern);
    }
}

void robots_free(struct robots *robots)
{
    if (robots != NULL) {
        group_fini(&robots->own);
        group_fini(&robots->all);
        free(robots);
    }
}

/* True if the path begins as the pattern says: '*' stands for anything, '$' at its end for the end. */
static bool matches(const char *pattern, const char *path)
{
    const char *star = NULL, *back = path;

    for (;;) {
        if (*pattern == '*') {
            star = ++pattern;
            back = path;
        } else if (*pattern == '\0') {
            return true;
        } else if (pattern[0] == '$' && pattern[1] == '\0' && *path == '\0') {
            return true;
        } else if (*path != '\0' && *pattern == *path) {
            pattern++;
            path++;
        } else if (star != NULL && *back != '\0') {
            path = ++back;
            pattern = star;
        } else {
            return false;
        }
    }
}

bool robots_allow(const struct robots *robots, const char *path)
{
    size_t longest = 0;
    bool allow = true;

    if (robots == NULL || strcmp(path, "/robots.txt") == 0) {
        return true;
    }
    const struct group *group = robots->own.found ? &robots->own : &robots->all;
    for (size_t i = 0; i < group->count; i++) {
        const struct rule *rule = &group->rules[i];
        size_t len = strlen(rule->pattern);
        if ((len > longest || (len == longest && rule->allow)) && matches(rule->pattern, path)) {
            longest = len;
            allow = rule->allow;
        }
    }
    return allow;
}

unsigned robots_delay(const struct robots *robots)
{
    return robots == NULL ? 0 : robots->own.found ? robots->own.delay : robots->all.delay;
}

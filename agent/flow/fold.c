/* fold.c: one spelling for what people mean as one. */
#include "agent/flow/fold.h"

#include <string.h>

#include "kb/text.h"
#include "queue/base/buf.h"

#define TEXT_MAX 4000 /* bytes of a text that are looked at */

char *flow_fold(const char *text)
{
    struct buf folded, out;
    size_t len, size = strnlen(text, TEXT_MAX);

    buf_init(&folded, 1 << 17);
    buf_init(&out, 1 << 17);
    kb_fold(text, size, &folded);
    for (size_t at = 0; at < folded.len;) {
        int32_t cp;
        size_t step = kb_cp_next(folded.data + at, folded.len - at, &cp);
        if (cp >= 0 && kb_cp_class(cp) != KB_CP_OTHER) {
            buf_add(&out, folded.data + at, step);
        } else if (out.len > 0 && out.data[out.len - 1] != ' ') {
            buf_addc(&out, ' ');
        }
        at += step;
    }
    if (out.len > 0 && out.data[out.len - 1] == ' ') {
        out.data[--out.len] = '\0';
    }
    char *result = buf_take(&out, &len);
    buf_fini(&folded);
    return result;
}

/* True if a character of it belongs to a script without spaces. */
static bool is_spaceless(const char *text)
{
    size_t len = strlen(text);
    int32_t cp;

    for (size_t at = 0; at < len;) {
        at += kb_cp_next(text + at, len - at, &cp);
        if (kb_cp_spaceless(cp)) {
            return true;
        }
    }
    return false;
}

bool flow_holds(const char *folded, const char *phrase)
{
    size_t len = strlen(phrase);

    if (len == 0) {
        return false;
    }
    for (const char *at = strstr(folded, phrase); at != NULL; at = strstr(at + 1, phrase)) {
        bool begins = at == folded || at[-1] == ' ', ends = at[len] == '\0' || at[len] == ' ';
        if ((begins && ends) || is_spaceless(phrase)) {
            return true;
        }
    }
    return false;
}

/* spot.c: addresses and numbers that a customer typed, found by their shape, without a model.
 *
 * Only what says of itself what it is: an address has its @, a number its country code ("+" or "00"); an
 * order number is no telephone number. Two different ones in one text say nothing about which is meant. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "agent/lead/lead.h"
#include "agent/lead/lead_int.h"

#include "channels/contact.h"

#define TOKEN_MAX 300

/* Characters that end an address in running text. */
static bool ends_token(char c)
{
    return c == '\0' || isspace((unsigned char)c) || strchr("<>()[],;:\"", c) != NULL;
}

/* The one address of the text; false if there is none or another one besides. */
static bool spot_email(const char *text, char out[TOKEN_MAX])
{
    out[0] = '\0';
    for (const char *p = text; *p != '\0';) {
        size_t n = 0;
        while (!ends_token(p[n])) {
            n++;
        }
        size_t end = n;
        while (end > 0 && strchr(".!?'", p[end - 1]) != NULL) {
            end--;
        }
        if (end > 0 && end < TOKEN_MAX && memchr(p, '@', end) != NULL) {
            char token[TOKEN_MAX];
            memcpy(token, p, end);
            token[end] = '\0';
            if (lead_email_ok(token) && out[0] != '\0' && strcasecmp(out, token) != 0) {
                return false;
            }
            if (lead_email_ok(token)) {
                memcpy(out, token, end + 1);
            }
        }
        p += n + (p[n] != '\0');
    }
    return out[0] != '\0';
}

/* The length of a run of digits and what people put between them. */
static size_t number_length(const char *text, size_t *digits)
{
    size_t n = 0, last = 0;

    *digits = 0;
    for (; text[n] != '\0' && n < 40; n++) {
        if (isdigit((unsigned char)text[n])) {
            (*digits)++;
            last = n + 1;
        } else if (strchr(" -.()/", text[n]) == NULL && !(n == 0 && text[n] == '+')) {
            break;
        }
    }
    return last;
}

/* The one number with its country code; false if there is none or another one besides. */
static bool spot_phone(const char *text, char out[24])
{
    bool before = false; /* the character ahead belongs to a word or a number */

    out[0] = '\0';
    for (const char *p = text; *p != '\0';) {
        bool zeros = p[0] == '0' && p[1] == '0' && p[2] >= '1' && p[2] <= '9';
        size_t digits = 0, n = !before && (*p == '+' || zeros) ? number_length(p, &digits) : 0;
        char plain[64] = "", number[24];
        if (n > 0 && digits >= 8) {
            size_t skip = zeros ? 2 : 1, used = 0;
            plain[used++] = '+';
            for (size_t i = skip; i < n && used + 1 < sizeof plain; i++) {
                plain[used] = p[i];
                used += isdigit((unsigned char)p[i]) ? 1 : 0;
            }
            plain[used] = '\0';
            if (contact_phone_normalise(plain, number)) {
                if (out[0] != '\0' && strcmp(out, number) != 0) {
                    return false;
                }
                memcpy(out, number, sizeof number);
            }
        }
        n = n > 0 ? n : 1;
        before = isalnum((unsigned char)p[n - 1]) || (unsigned char)p[n - 1] >= 0x80;
        p += n;
    }
    return out[0] != '\0';
}

/* The name of the agent's first field of a type, NULL if there is none. */
static const char *first_of(const json_t *agent, const char *type)
{
    const json_t *rows = jx_arr(lead_settings(agent), "fields");

    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        if (strcmp(jx_str_or(row, "type", ""), type) == 0) {
            return jx_str(row, "name");
        }
    }
    return NULL;
}

json_t *lead_spot(const json_t *agent, const char *text)
{
    const char *email = first_of(agent, "email"), *phone = first_of(agent, "phone");
    char address[TOKEN_MAX], number[24];
    json_t *values = json_object();

    if (email != NULL && spot_email(text, address)) {
        jx_set_str(values, email, address);
    }
    if (phone != NULL && spot_phone(text, number)) {
        jx_set_str(values, phone, number);
    }
    return values;
}

/* redact_builtin.c - shapes of what most people want out. Meant to be sure rather than complete: a hit in
 * ordinary text would take away what an engineer needs to see. */
#include <string.h>

#include "base/check.h"
#include "receive/redact_impl.h"

/* ---- card numbers: digits in groups, by the lengths and first digits in use, whose last digit is right ----
 */

#define CARD_MIN 13
#define CARD_MAX 16

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* ISO/IEC 7812: every second digit from the right but one counts double, its digits added. */
static bool luhn(const char *digits, size_t n)
{
    unsigned sum = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = (unsigned)(digits[n - 1 - i] - '0');
        if (i % 2 == 1) d = d * 2 > 9 ? d * 2 - 9 : d * 2;
        sum += d;
    }
    return sum % 10 == 0;
}

/* Clocks in ns and most ids of 64 bits have other lengths or begin with 1. */
static bool is_card(const char *digits, size_t n)
{
    bool shape = (n == 13 && digits[0] == '4') || ((n == 14 || n == 15) && digits[0] == '3') ||
                 (n == 16 && digits[0] >= '2' && digits[0] <= '6');
    return shape && luhn(digits, n);
}

/* The card that begins with the group at `from`, ended by the end of a group; 0: none. */
static size_t card_at(struct str t, size_t from)
{
    char digits[CARD_MAX];
    size_t n = 0;
    for (size_t i = from; i < t.n; i++) {
        if (is_digit(t.p[i])) {
            if (n == CARD_MAX) return 0;
            digits[n++] = t.p[i];
            bool group_ends = i + 1 == t.n || !is_digit(t.p[i + 1]);
            if (group_ends && n >= CARD_MIN && is_card(digits, n)) return i + 1 - from;
        } else if ((t.p[i] != ' ' && t.p[i] != '-') || i + 1 == t.n || !is_digit(t.p[i + 1]))
            return 0;
    }
    return 0;
}

static bool find_card(struct str t, size_t from, struct str *hit)
{
    for (size_t i = from; i + CARD_MIN <= t.n; i++) {
        if (!is_digit(t.p[i]) || (i > 0 && (is_digit(t.p[i - 1]) || t.p[i - 1] == '.'))) continue;
        size_t n = card_at(t, i);
        if (n == 0) continue;
        *hit = str_make(t.p + i, n);
        return true;
    }
    return false;
}

/* ---- patterns ---- */

#define API_KEYS                                                                                             \
    "\\b(?:sk-[A-Za-z0-9_-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}\\b|gh[pousr]_[A-Za-z0-9]{36,}|"                   \
    "github_pat_[A-Za-z0-9_]{22,}|glpat-[A-Za-z0-9_-]{20,}|xox[abeoprs]-[A-Za-z0-9-]{10,}|"                  \
    "AIza[0-9A-Za-z_-]{35}|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{16,}|hf_[A-Za-z0-9]{30,}|"                 \
    "npm_[A-Za-z0-9]{36}|eyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]{8,})|"                  \
    "-----BEGIN [A-Z ]*PRIVATE KEY-----[A-Za-z0-9+/=\\s\\\\]*(?:-----END [A-Z ]*PRIVATE KEY-----)?"

static const struct redact_builtin builtin[] = {
    { "email", "[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\\.[A-Za-z0-9-]+)*\\.[A-Za-z]{2,}", "@", NULL },
    { "credit_card", NULL, NULL, find_card },
    { "api_key", API_KEYS, NULL, NULL },
    { "bearer_token", "(?i)\\bbearer\\s+([A-Za-z0-9._~+/=-]{16,})", NULL, NULL },
};
const char redact_builtin_names[] = "email, credit_card, api_key, bearer_token";

const struct redact_builtin *redact_builtin(struct str name)
{
    for (size_t i = 0; i < COUNT(builtin); i++)
        if (str_is(name, builtin[i].name)) return &builtin[i];
    return NULL;
}

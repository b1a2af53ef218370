/* Which errors are the same error. */
#include "query/traces/fingerprint.h"

#include "unit/test.h"

static void normal(const char *message, const char *want)
{
    struct buf out = BUF_INIT(8 << 10);
    error_normalise(str_of(message), &out);
    EXPECT_STR(buf_cstr(&out), want);
    buf_release(&out);
}

TEST(what_differs_from_case_to_case_is_put_aside)
{
    normal("timeout after 30.5 s, attempt 3", "timeout after <n> s, attempt <n>");
    normal("user 4f9c2d1a-0b7e-4c55-9a10-1c2d3e4f5a6b not found", "user <id> not found");
    normal("bad pointer 0x7ffe12ab", "bad pointer <id>");
    normal("commit 9fceb02d0ae598e95dc970b74767f19372d61af8 is gone", "commit <id> is gone");
    normal("no such model \"gpt-9\" or 'x'", "no such model <s> or <s>");
    normal("POST https://api.example.com/v1/chat?id=7 failed: 503", "POST <url> failed: <n>");
    normal("cannot open /var/lib/app/17/data.db", "cannot open <path>");
    normal("  two\n  lines ", " two lines ");
    normal("don't stop", "don't stop");
    normal("deadbeef and facade stay words", "deadbeef and facade stay words");
    normal("", "");
}

static struct hash128 print(const char *type, const char *message, const char *stack)
{
    return error_fingerprint(&(struct error_text){ str_of(type), str_of(message), str_of(stack) });
}

#define SAME(a, b)   EXPECT(hash128_eq(a, b))
#define DIFFER(a, b) EXPECT(!hash128_eq(a, b))

static const char python[] = "Traceback (most recent call last):\n  File \"/app/main.py\", line 10, in run\n"
                             "    step()\n  File \"/app/step.py\", line 4, in step\n    call()\n"
                             "  File \"/app/net.py\", line 77, in call\n    raise E\n"
                             "  File \"/app/deep.py\", line 9, in deep\nE: no";
static const char python_moved[] =
    "Traceback (most recent call last):\n  File \"/app/other.py\", line 1, in go\n"
    "  File \"/app/step.py\", line 14, in step\n"
    "  File \"/app/net.py\", line 87, in call\n"
    "  File \"/app/deep.py\", line 19, in deep\nE: no";
static const char js[] = "Error: no\n    at call (/app/net.js:10:5)\n    at step (/app/step.js:3:1)\n"
                         "    at run (/app/main.js:9:9)\n    at a (/x.js:1:1)";
static const char js_moved[] = "Error: no\n    at call (/app/net.js:12:7)\n    at step (/app/step.js:4:2)\n"
                               "    at run (/app/main.js:1:1)\n    at b (/y.js:1:1)";

TEST(the_same_error_keeps_its_fingerprint)
{
    SAME(print("E", "try 1", ""), print("E", "try 2", ""));
    DIFFER(print("E", "try 1", ""), print("F", "try 1", ""));
    DIFFER(print("E", "try", ""), print("E", "fail", ""));
    SAME(print("E", "m", python), print("E", "m", python_moved)); /* the innermost three, lines moved */
    SAME(print("E", "m", js), print("E", "m", js_moved));
    DIFFER(print("E", "m", js), print("E", "m", python));
}

TEST(frames_are_the_innermost_ones)
{
    struct buf out = BUF_INIT(8 << 10);
    error_frames(str_of(js), &out);
    EXPECT_STR(buf_cstr(&out),
               "at call (/app/net.js::)\nat step (/app/step.js::)\nat run (/app/main.js::)\n");
    buf_clear(&out);
    error_frames(str_of(python), &out);
    EXPECT_STR(buf_cstr(&out), "File \"/app/step.py\", line , in step\nFile \"/app/net.py\", line , in call\n"
                               "File \"/app/deep.py\", line , in deep\n");
    buf_release(&out);
}

TEST(any_bytes_are_a_message)
{
    uint64_t state = 3;
    for (int round = 0; round < 20000; round++) {
        static const char letters[] = "0x9af-/\"' .:,%abc\n\xc3\xa9<(";
        char text[40];
        size_t n = (size_t)(round % 40);
        for (size_t i = 0; i < n; i++) {
            state = state * UINT64_C(6364136223846793005) + 1;
            text[i] = letters[(state >> 33) % (sizeof letters - 1)];
        }
        struct buf out = BUF_INIT(8 << 10);
        error_normalise(str_make(text, n), &out);
        error_frames(str_make(text, n), &out);
        EXPECT(!out.full);
        buf_release(&out);
    }
}

TESTS(CASE(what_differs_from_case_to_case_is_put_aside), CASE(the_same_error_keeps_its_fingerprint),
      CASE(frames_are_the_innermost_ones), CASE(any_bytes_are_a_message))

#include "store/cipher.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "unit/store/shape.h"
#include "unit/test.h"

enum { NONCE = 12 };

static const uint8_t key_a[CIPHER_KEY_BYTES] = { 1, 2, 3 }, key_b[CIPHER_KEY_BYTES] = { 1, 2, 4 };
static const struct cipher_place place = { CIPHER_PAGE, 33, 77, 4096, 1, 500 };

static struct cipher *new_cipher(struct buf *head)
{
    struct cipher *c = NULL;
    *head = (struct buf)BUF_INIT(1000);
    EXPECT(cipher_create(key_a, head, &c, NULL) == OK && head->n == CIPHER_HEAD_BYTES);
    return c;
}

/* ---- sealing ---- */

TEST(what_was_sealed_comes_back_also_after_another_opening)
{
    struct buf head, sealed = BUF_INIT(1 << 24), plain = BUF_INIT(1 << 24);
    struct cipher *c = new_cipher(&head), *again = NULL;
    struct cipher_user *u = cipher_user_new(c), *v;
    EXPECT(cipher_open(key_a, buf_view(&head), &again, NULL) == OK);
    v = cipher_user_new(again);
    static char bytes[100000];
    struct dice d = { 1 };
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)roll(&d);
    for (size_t n = 0; n <= sizeof bytes; n = n < 70 ? n + 1 : n * 3) {
        buf_clear(&sealed);
        buf_cs(&sealed, "before");
        cipher_seal(u, &place, str_make(bytes, n), &sealed);
        EXPECT(sealed.n == 6 + n + CIPHER_OVERHEAD);
        buf_clear(&plain);
        buf_cs(&plain, "before");
        struct str in = str_make(sealed.p + 6, sealed.n - 6);
        EXPECT(cipher_unseal(v, &place, in, &plain, NULL) == OK);
        EXPECT(plain.n == 6 + n && memcmp(plain.p + 6, bytes, n) == 0);
        EXPECT(n < 16 || memmem(sealed.p, sealed.n, bytes, 16) == NULL);
    }
    cipher_user_free(u);
    cipher_user_free(v);
    cipher_free(c);
    cipher_free(again);
    buf_release(&head);
    buf_release(&sealed);
    buf_release(&plain);
}

TEST(any_flipped_bit_any_cut_and_any_other_place_is_refused)
{
    struct buf head, sealed = BUF_INIT(1000), plain = BUF_INIT(1000);
    struct cipher *c = new_cipher(&head);
    struct cipher_user *u = cipher_user_new(c);
    struct err e = ERR_INIT;
    cipher_seal(u, &place, STR("model=gpt-4o prompt=hello"), &sealed);
    for (size_t bit = 0; bit < sealed.n * 8; bit++) {
        sealed.p[bit / 8] = (char)(sealed.p[bit / 8] ^ 1 << bit % 8);
        EXPECT(cipher_unseal(u, &place, buf_view(&sealed), &plain, &e) == ERR_CORRUPT && plain.n == 0);
        sealed.p[bit / 8] = (char)(sealed.p[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < sealed.n; n++)
        EXPECT(cipher_unseal(u, &place, str_make(sealed.p, n), &plain, &e) == ERR_CORRUPT);
    const struct cipher_place others[] = {
        { CIPHER_RECORD, 33, 77, 4096, 1, 500 }, { CIPHER_PAGE, 34, 77, 4096, 1, 500 },
        { CIPHER_PAGE, 33, 78, 4096, 1, 500 },   { CIPHER_PAGE, 33, 77, 4097, 1, 500 },
        { CIPHER_PAGE, 33, 77, 4096, 2, 500 },   { CIPHER_PAGE, 33, 77, 4096, 1, 501 }
    };
    for (size_t i = 0; i < COUNT(others); i++)
        EXPECT(cipher_unseal(u, &others[i], buf_view(&sealed), &plain, &e) == ERR_CORRUPT && plain.n == 0);
    EXPECT(cipher_unseal(u, &place, buf_view(&sealed), &plain, &e) == OK && plain.n == 25);
    struct buf narrow = BUF_INIT(24);
    EXPECT(cipher_unseal(u, &place, buf_view(&sealed), &narrow, &e) == ERR_LIMIT);
    cipher_user_free(u);
    cipher_free(c);
    buf_release(&head);
    buf_release(&sealed);
    buf_release(&plain);
}

/* Made with another implementation (Python's cryptography package) after the format: key 0..31, salt
 * 100..131, data key 60..91 under nonce 10..21, nonce 200..211; a page of kind 33, form 2, 19 raw bytes, in
 * file 0x1122334455667788 at 4096. */
static const uint8_t golden_head[] = {
    0x56, 0x44, 0x43, 0x49, 0x50, 0x48, 0x45, 0x52, 0x01, 0x00, 0x00, 0x00, 0x64, 0x65, 0x66, 0x67,
    0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77,
    0x78, 0x79, 0x7a, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83, 0x0a, 0x0b, 0x0c, 0x0d,
    0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0xcf, 0x7a, 0xfb, 0x69, 0x8c, 0x2f, 0xec, 0xdf,
    0x5e, 0x0f, 0xbf, 0x0d, 0x91, 0xd9, 0x8b, 0x96, 0x5e, 0x46, 0x0f, 0xdc, 0x0c, 0x3c, 0x9a, 0xd4,
    0x72, 0xa7, 0xfd, 0x27, 0xe4, 0xeb, 0xf6, 0x5c, 0xb2, 0x3a, 0x57, 0x81, 0xb5, 0x5d, 0xea, 0x79,
    0x47, 0x20, 0xca, 0x7f, 0x5f, 0x96, 0x33, 0x50, 0x50, 0x3e, 0x88, 0x6d,
};
static const uint8_t golden_sealed[] = {
    0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3, 0xb4, 0xcd, 0xd9, 0x44,
    0x0a, 0x34, 0xe4, 0xe7, 0x3c, 0x16, 0xcf, 0x92, 0xb2, 0x42, 0x38, 0x3c, 0x29, 0x78, 0x8c, 0xfa,
    0x16, 0xb3, 0x9e, 0x59, 0x3f, 0x4c, 0x13, 0x26, 0x85, 0x8b, 0xb5, 0xda, 0x8c, 0xbc, 0xad,
};

TEST(bytes_of_another_implementation_are_understood)
{
    uint8_t key[CIPHER_KEY_BYTES];
    struct cipher *c = NULL;
    struct buf plain = BUF_INIT(100);
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    EXPECT(cipher_open(key, str_make(golden_head, sizeof golden_head), &c, NULL) == OK);
    struct cipher_user *u = cipher_user_new(c);
    const struct cipher_place at = { CIPHER_PAGE, 33, 0x1122334455667788ull, 4096, 2, 19 };
    EXPECT(cipher_unseal(u, &at, str_make(golden_sealed, sizeof golden_sealed), &plain, NULL) == OK);
    EXPECT(str_is(buf_view(&plain), "the quick brown fox"));
    cipher_user_free(u);
    cipher_free(c);
    buf_release(&plain);
}

/* ---- nonces ---- */

enum { THREADS = 4, SEALS = 5000 };

struct sealer {
    struct cipher *cipher;
    struct buf out;
};

static void *seal_many(void *ctx)
{
    struct sealer *s = ctx;
    struct cipher_user *u = cipher_user_new(s->cipher);
    for (int i = 0; i < SEALS; i++) cipher_seal(u, &place, STR(""), &s->out);
    cipher_user_free(u);
    return NULL;
}

static int by_nonce(const void *a, const void *b)
{
    return memcmp(a, b, NONCE);
}

TEST(no_nonce_comes_twice_whichever_thread_and_opening)
{
    struct buf head, all = BUF_INIT(1 << 24);
    struct sealer s[THREADS];
    pthread_t t[THREADS];
    struct cipher *c = new_cipher(&head), *again = NULL;
    EXPECT(cipher_open(key_a, buf_view(&head), &again, NULL) == OK);
    for (int i = 0; i < THREADS; i++) {
        s[i] = (struct sealer){ i % 2 ? c : again, BUF_INIT(1 << 24) };
        EXPECT(pthread_create(&t[i], NULL, seal_many, &s[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        buf_str(&all, buf_view(&s[i].out));
        buf_release(&s[i].out);
    }
    size_t n = all.n / CIPHER_OVERHEAD;
    EXPECT(n == THREADS * SEALS);
    qsort(all.p, n, CIPHER_OVERHEAD, by_nonce);
    for (size_t i = 1; i < n; i++)
        EXPECT(memcmp(all.p + (i - 1) * CIPHER_OVERHEAD, all.p + i * CIPHER_OVERHEAD, NONCE) != 0);
    cipher_free(c);
    cipher_free(again);
    buf_release(&head);
    buf_release(&all);
}

/* ---- the head ---- */

TEST(a_wrong_key_is_told_from_a_damaged_head)
{
    struct buf head;
    struct cipher *c = new_cipher(&head), *other = NULL;
    struct err e = ERR_INIT;
    EXPECT(cipher_open(key_b, buf_view(&head), &other, &e) == ERR_RANGE && other == NULL);
    EXPECT(strstr(e.text, "not the key"));
    for (size_t bit = 0; bit < head.n * 8; bit++) {
        head.p[bit / 8] = (char)(head.p[bit / 8] ^ 1 << bit % 8);
        EXPECT(cipher_open(key_a, buf_view(&head), &other, &e) == ERR_CORRUPT && other == NULL);
        head.p[bit / 8] = (char)(head.p[bit / 8] ^ 1 << bit % 8);
    }
    for (size_t n = 0; n < head.n; n++)
        EXPECT(cipher_open(key_a, str_make(head.p, n), &other, &e) == ERR_CORRUPT);
    buf_char(&head, 0);
    EXPECT(cipher_open(key_a, buf_view(&head), &other, &e) == ERR_CORRUPT);
    cipher_free(c);
    buf_release(&head);
}

TEST(another_key_file_opens_what_the_first_one_sealed_and_only_through_its_own_head)
{
    struct buf head, fresh = BUF_INIT(1000), sealed = BUF_INIT(100), plain = BUF_INIT(100);
    struct cipher *c = new_cipher(&head), *after = NULL, *none = NULL;
    EXPECT(cipher_rotate(key_b, key_a, buf_view(&head), &fresh, NULL) == ERR_RANGE && fresh.n == 0);
    EXPECT(cipher_rotate(key_a, key_b, buf_view(&head), &fresh, NULL) == OK && fresh.n == CIPHER_HEAD_BYTES);
    EXPECT(cipher_open(key_a, buf_view(&fresh), &none, NULL) == ERR_RANGE);
    EXPECT(cipher_open(key_b, buf_view(&fresh), &after, NULL) == OK);
    struct cipher_user *u = cipher_user_new(c), *v = cipher_user_new(after);
    cipher_seal(u, &place, STR("kept"), &sealed);
    EXPECT(cipher_unseal(v, &place, buf_view(&sealed), &plain, NULL) == OK && plain.n == 4);
    cipher_free(c);
    cipher_free(after); /* users outlive it */
    cipher_seal(u, &place, STR("more"), &sealed);
    cipher_user_free(u);
    cipher_user_free(v);
    buf_release(&head);
    buf_release(&fresh);
    buf_release(&sealed);
    buf_release(&plain);
}

TEST(two_stores_of_one_key_share_no_data_key)
{
    struct buf one, two, sealed = BUF_INIT(100), plain = BUF_INIT(100);
    struct cipher *a = new_cipher(&one), *b = new_cipher(&two);
    struct cipher_user *u = cipher_user_new(a), *v = cipher_user_new(b);
    cipher_seal(u, &place, STR("x"), &sealed);
    EXPECT(cipher_unseal(v, &place, buf_view(&sealed), &plain, NULL) == ERR_CORRUPT);
    cipher_user_free(u);
    cipher_user_free(v);
    cipher_free(a);
    cipher_free(b);
    buf_release(&one);
    buf_release(&two);
    buf_release(&sealed);
    buf_release(&plain);
}

/* ---- the key file ---- */

static char dir[] = "/tmp/vedette-cipher-XXXXXX", path[100];

static int read_key(struct str text, mode_t mode, uint8_t key[CIPHER_KEY_BYTES], struct err *e)
{
    unlink(path);
    FILE *f = fopen(path, "w");
    EXPECT(f != NULL);
    fwrite(text.p, 1, text.n, f);
    fclose(f);
    EXPECT(chmod(path, mode) == 0);
    return cipher_key_read(path, key, e);
}

TEST(a_key_is_raw_or_hexadecimal_and_nobody_elses)
{
    static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F\n";
    uint8_t key[CIPHER_KEY_BYTES], raw[CIPHER_KEY_BYTES], zero[CIPHER_KEY_BYTES] = { 0 };
    struct err e = ERR_INIT;
    EXPECT(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/key", dir);
    for (size_t i = 0; i < sizeof raw; i++) raw[i] = (uint8_t)i;

    EXPECT(read_key(STR(hex), 0400, key, &e) == OK && memcmp(key, raw, sizeof raw) == 0);
    EXPECT(read_key(str_make(hex, 64), 0440, key, &e) == OK && memcmp(key, raw, sizeof raw) == 0);
    EXPECT(read_key(str_make(raw, 32), 0600, key, &e) == OK && memcmp(key, raw, sizeof raw) == 0);

    static const mode_t loose[] = { 0404, 0602, 0660, 0644, 0601 };
    for (size_t i = 0; i < COUNT(loose); i++) {
        EXPECT(read_key(STR(hex), loose[i], key, &e) == ERR_RANGE && strstr(e.text, "mode 0"));
        EXPECT(memcmp(key, zero, sizeof key) == 0);
    }
    const struct str bad[] = {
        STR(""),
        str_make(hex, 63),
        str_make(raw, 31),
        STR("0x01"),
        STR("000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1G"),
        STR("000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F00000000000000000")
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        EXPECT(read_key(bad[i], 0400, key, &e) == ERR_PARSE && strstr(e.text, path));
    EXPECT(cipher_key_read(dir, key, &e) < 0);
    unlink(path);
    EXPECT(cipher_key_read(path, key, &e) == ERR_FIND);
    EXPECT(mkfifo(path, 0600) == 0); /* nobody writes: it must not hang */
    EXPECT(cipher_key_read(path, key, &e) == ERR_RANGE);
    unlink(path);
    rmdir(dir);
}

TESTS(CASE(what_was_sealed_comes_back_also_after_another_opening),
      CASE(any_flipped_bit_any_cut_and_any_other_place_is_refused),
      CASE(bytes_of_another_implementation_are_understood),
      CASE(no_nonce_comes_twice_whichever_thread_and_opening), CASE(a_wrong_key_is_told_from_a_damaged_head),
      CASE(another_key_file_opens_what_the_first_one_sealed_and_only_through_its_own_head),
      CASE(two_stores_of_one_key_share_no_data_key), CASE(a_key_is_raw_or_hexadecimal_and_nobody_elses))

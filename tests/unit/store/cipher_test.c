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
static const struct cipher_place place = { CIPHER_PAGE, 33, 77, 4096 };

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
    const struct cipher_place others[] = { { CIPHER_RECORD, 33, 77, 4096 },
                                           { CIPHER_PAGE, 34, 77, 4096 },
                                           { CIPHER_PAGE, 33, 78, 4096 },
                                           { CIPHER_PAGE, 33, 77, 4097 } };
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
 * 100..131, nonce 200..211, page of kind 33 in file 0x1122334455667788 at 4096. */
static const uint8_t golden_head[] = { 0x56, 0x44, 0x43, 0x49, 0x50, 0x48, 0x45, 0x52, 0x01, 0x00, 0x00,
                                       0x00, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d,
                                       0x6e, 0x6f, 0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78,
                                       0x79, 0x7a, 0x7b, 0x7c, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x83,
                                       0xac, 0x7f, 0x70, 0x4e, 0xf4, 0x3b, 0xe3, 0x87, 0x79, 0xc3, 0xfc,
                                       0x65, 0xb0, 0x57, 0x38, 0x2c, 0x99, 0x0f, 0x01, 0x8b };
static const uint8_t golden_sealed[] = { 0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1,
                                         0xd2, 0xd3, 0x73, 0xa3, 0x1f, 0x10, 0x4b, 0x85, 0xb9, 0xbb,
                                         0x9d, 0x95, 0xdd, 0x4b, 0x35, 0x4b, 0x76, 0x56, 0x43, 0x08,
                                         0xce, 0x77, 0xd2, 0x98, 0xdd, 0x62, 0x9a, 0x0b, 0xa8, 0xd1,
                                         0xa2, 0xe2, 0xe8, 0x34, 0xdd, 0x53, 0xe1 };

TEST(bytes_of_another_implementation_are_understood)
{
    uint8_t key[CIPHER_KEY_BYTES];
    struct cipher *c = NULL;
    struct buf plain = BUF_INIT(100);
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    EXPECT(cipher_open(key, str_make(golden_head, sizeof golden_head), &c, NULL) == OK);
    struct cipher_user *u = cipher_user_new(c);
    const struct cipher_place at = { CIPHER_PAGE, 33, 0x1122334455667788ull, 4096 };
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
      CASE(two_stores_of_one_key_share_no_data_key), CASE(a_key_is_raw_or_hexadecimal_and_nobody_elses))

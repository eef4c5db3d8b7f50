/* What the tests of alerts share: the indexes that the application counts on, and what a webhook was told. */
#ifndef TF_TESTS_ALERTS_H
#define TF_TESTS_ALERTS_H

#include "support/http.h"
#include "support/tokens.h"

#include "base/field.h"

static inline void alerts_make_indexes(tf_fixture *f)
{
    bson_destroy(tf_fixture_command(
        f, "{\"createIndexes\": \"cashu_tokens\", \"indexes\": ["
           "{\"name\": \"1\", \"key\": {\"npub\": 1, \"status\": 1}}, {\"name\": \"2\", \"key\": {\"npub\": 1, \"transaction_type\": 1}},"
           "{\"name\": \"3\", \"key\": {\"npub\": 1, \"created_at\": -1}}, {\"name\": \"4\", \"key\": {\"wallet_id\": 1, \"status\": 1}},"
           "{\"name\": \"5\", \"key\": {\"transaction_id\": 1}}, {\"name\": \"6\", \"key\": {\"mint_url\": 1, \"status\": 1}},"
           "{\"name\": \"7\", \"key\": {\"proofs.secret\": 1}}]}"));
}

/* The n-th request says this of this alert. */
static inline void alerts_expect(http_server *server, size_t n, const char *alert, const char *event, const char *severity)
{
    char got[64];
    if (http_wait(server, n + 1) <= n)
        fail_msg("no request %zu: %s %s", n, alert, event);
    const http_request *request = http_request_at(server, n);
    _cleanup_(bson_destroyp) bson_t *body = bson_new_from_json((const uint8_t *)request->body, -1, NULL);
    assert_non_null(body);
    tf_field_text(body, "alert", got, sizeof got);
    if (strcmp(got, alert) != 0)
        fail_msg("request %zu: %s", n, request->body);
    tf_field_text(body, "event", got, sizeof got);
    if (strcmp(got, event) != 0)
        fail_msg("request %zu: %s", n, request->body);
    tf_field_text(body, "severity", got, sizeof got);
    assert_string_equal(got, severity);
}

static inline size_t alerts_lines(const char *text)
{
    size_t lines = 0;
    for (; text && *text; text++)
        lines += *text == '\n';
    return lines;
}

#endif

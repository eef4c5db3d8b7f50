/*
 * An HTTP server of the tests, on loopback, in a thread: it answers each request as its script says (the last row again and
 * again) and keeps what it received.
 */
#ifndef TF_TESTS_HTTP_H
#define TF_TESTS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    HTTP_OK,       /* 200, "ok" */
    HTTP_FAIL,     /* 500 */
    HTTP_BUSY,     /* 429 */
    HTTP_MISSING,  /* 404 */
    HTTP_REDIRECT, /* 302 to its own /elsewhere */
    HTTP_SILENT,   /* takes the request and never answers */
    HTTP_DRIP,     /* 200, and a header line now and then, without end */
    HTTP_GARBAGE,  /* 200 with bytes that are no text */
    HTTP_ENDLESS,  /* 200 and a body without end */
    HTTP_SHORT,    /* 200 with less body than it announces */
    HTTP_NONSENSE, /* no HTTP at all */
    HTTP_HANG_UP   /* closes without a word */
} http_answer;

typedef struct http_request {
    char path[256];
    char *head; /* the lines of the header */
    char *body;
} http_request;

typedef struct http_server http_server;

/* `script` ends with -1 and outlives the server. With `certificate` (a PEM file with certificate and key) it speaks TLS. */
http_server *http_start(const int *script, const char *certificate);
void http_stop(http_server *server);

#define http_serve(...) http_start((const int[]){__VA_ARGS__, -1}, NULL)

/* "http://127.0.0.1:PORT/hook"; lives as long as the server. */
const char *http_url(const http_server *server);

/* Waits until so many requests have come, at most 60 s; how many have. */
size_t http_wait(http_server *server, size_t count);
size_t http_count(http_server *server);

/* The n-th request, from 0: to be there. Lives as long as the server. */
const http_request *http_request_at(http_server *server, size_t n);

/* The value of a header line, "" where there is none; lives until the next call. */
const char *http_header(const http_request *request, const char *name);

/* Answers as another script says from now on. */
void http_switch(http_server *server, const int *script);

#endif

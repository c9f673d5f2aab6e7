/* tbl_options.h: every option of the daemon and the command line, one row each; see option.h.
 * X(symbol, "section.key", "flag", type, "default", min, max, reload, secret, "help") */
X(OPT_DATA_DIR, "core.data", "data", OPTION_TEXT, "", 0, 0, false, false,
  "data directory; default $XDG_DATA_HOME/chasqui, or /var/lib/chasqui for root")
X(OPT_CONFIG, "core.config", "config", OPTION_TEXT, "", 0, 0, false, false, "configuration file (INI)")
X(OPT_URL, "core.url", "url", OPTION_TEXT, "", 0, 0, false, false,
  "command line: the daemon's base URL, instead of the socket in the data directory")
X(OPT_API_KEY, "core.api_key", "api-key", OPTION_TEXT, "", 0, 0, false, true, "command line: the key for that URL")
X(OPT_LOG_LEVEL, "log.level", "log-level", OPTION_TEXT, "info", 0, 0, true, false, "debug, info, warn or error")
X(OPT_LOG_FORMAT, "log.format", "log-format", OPTION_TEXT, "keyvalue", 0, 0, true, false, "keyvalue or json")
X(OPT_LISTEN, "http.listen", "listen", OPTION_TEXT, "127.0.0.1:8080", 0, 0, false, false,
  "HOST:PORT to serve; port 0 picks a free one")
X(OPT_TLS_CERT, "http.tls_cert", "tls-cert", OPTION_TEXT, "", 0, 0, true, false,
  "PEM file of the certificate chain: HTTPS instead of HTTP; read again on SIGHUP")
X(OPT_TLS_KEY, "http.tls_key", "tls-key", OPTION_TEXT, "", 0, 0, true, false, "PEM file of its private key")
X(OPT_HTTP_THREADS, "http.threads", "http-threads", OPTION_INT, "1", 1, 64, false, false, "HTTP event-loop threads")
X(OPT_HTTP_HEAD_TIME, "http.head_timeout", "http-head-timeout", OPTION_TIME, "10s", 100, 600000, false, false,
  "deadline for a request's head")
X(OPT_HTTP_BODY_TIME, "http.body_timeout", "http-body-timeout", OPTION_TIME, "30s", 100, 3600000, false, false,
  "deadline for a request's body, plus 1 s for each 64 KiB")
X(OPT_HTTP_IDLE_TIME, "http.idle_timeout", "http-idle-timeout", OPTION_TIME, "75s", 100, 3600000, false, false,
  "keep-alive connections close after this silence")
X(OPT_HTTP_CONNECTIONS, "http.connections", "http-connections", OPTION_INT, "10000", 1, 1000000, false, false,
  "most open connections")
X(OPT_HTTP_BODY_MAX, "http.body_max", "http-body-max", OPTION_SIZE, "1MiB", 1024, 1073741824, false, false,
  "largest JSON body of the API")
X(OPT_HOOK_BODY_MAX, "http.hook_body_max", "http-hook-body-max", OPTION_SIZE, "4MiB", 1024, 1073741824, false, false,
  "largest body of a platform webhook")
X(OPT_HTTP_FILE_MAX, "http.file_max", "http-file-max", OPTION_SIZE, "25MiB", 1024, 1073741824, false, false,
  "largest uploaded file; one request may hold several, four times that in all")
X(OPT_HTTP_PER_ADDRESS, "http.connections_per_address", "http-connections-per-address", OPTION_INT, "100", 0, 1000000, false,
  false, "most open connections of one client address that have not yet had a request granted, to be raised behind a proxy; 0: no limit")
X(OPT_TRUSTED_PROXIES, "http.trusted_proxies", "trusted-proxies", OPTION_TEXT, "", 0, 0, false, false,
  "address ranges of proxies in front, separated by commas: what they say of their client counts for limits, allow lists and the audit log")
X(OPT_PROXY_FIELD, "http.proxy_field", "proxy-field", OPTION_TEXT, "X-Forwarded-For", 0, 0, false, false,
  "the header field in which those proxies name their client: X-Forwarded-For or Forwarded")
X(OPT_HTTP_REQUESTS, "http.requests_per_connection", "http-requests-per-connection", OPTION_INT, "1000", 0, 1000000000,
  false, false, "requests after which a connection is closed in order; 0: no limit")
X(OPT_PLAN_FREE, "plans.free", "plan-free", OPTION_TEXT, "30,60,20", 0, 0, false, false,
  "requests a minute, messages an hour, knowledge writes a day of one key on this plan; 0: unlimited")
X(OPT_PLAN_PRO, "plans.pro", "plan-pro", OPTION_TEXT, "300,1000,500", 0, 0, false, false, "the same for this plan")
X(OPT_PLAN_ENTERPRISE, "plans.enterprise", "plan-enterprise", OPTION_TEXT, "3000,0,0", 0, 0, false, false,
  "the same for this plan")
X(OPT_ADDRESS_LIMIT, "plans.address", "address-limit", OPTION_INT, "6000", 0, 1000000000, false, false,
  "requests a minute from one client address to one route of the API, whatever the key; 0: unlimited")
X(OPT_SIGN_IN_LIMIT, "plans.sign_in", "sign-in-limit", OPTION_INT, "20", 0, 1000000000, false, false,
  "failed authentications a minute from one client address; 0: unlimited")
X(OPT_PUBLIC_URL, "http.public_url", "public-url", OPTION_TEXT, "", 0, 0, true, false,
  "the base URL that the outside world uses, if not http://LISTEN")
X(OPT_ALLOW_PRIVATE, "net.allow_private_networks", "allow-private-networks", OPTION_BOOL, "false", 0, 0, false, false,
  "let customers' URLs (webhooks, model servers) reach private and loopback addresses")
X(OPT_ALLOW_CIDRS, "net.allow", "allow-private", OPTION_TEXT, "", 0, 0, false, false,
  "comma-separated address ranges that customers' URLs may reach although private")
X(OPT_CA_FILE, "net.ca_file", "ca-file", OPTION_TEXT, "", 0, 0, false, false,
  "PEM file of authorities trusted for outgoing TLS besides the system's (a company's own)")
X(OPT_MAP_SIZE, "store.map_size", "store-map-size", OPTION_SIZE, "64GiB", 1048576, 17592186044416, false, false,
  "address space reserved for the store's map; the file grows only as it is used")
X(OPT_STORE_BACKLOG, "store.backlog", "store-backlog", OPTION_INT, "4096", 16, 1000000, false, false,
  "change-sets that may wait for the committer before new ones are refused")
X(OPT_STORE_RESERVE, "store.disk_reserve", "store-disk-reserve", OPTION_SIZE, "64MiB", 0, 1099511627776, true, false,
  "platform webhooks are refused with 503 while the file system has less free space")
X(OPT_READ_ONLY_GRACE, "store.read_only_grace", "store-read-only-grace", OPTION_TIME, "30s", 0, 86400000, true, false,
  "after a failed write or sync the daemon answers reads so long and then ends with exit code 9, to be started again; 0: it stays")
X(OPT_WORKERS, "jobs.workers", "workers", OPTION_INT, "1", 1, 64, false, false, "worker threads that run jobs")
X(OPT_JOBS_IN_FLIGHT, "jobs.in_flight", "jobs-in-flight", OPTION_INT, "256", 1, 100000, false, false,
  "jobs one worker may have under way")
X(OPT_GRAPH_URL, "whatsapp.graph_url", "whatsapp-graph-url", OPTION_TEXT, "https://graph.facebook.com", 0, 0, false,
  false, "base URL of the WhatsApp Cloud API, unless the channel names its own")
X(OPT_GRAPH_VERSION, "whatsapp.graph_version", "whatsapp-graph-version", OPTION_TEXT, "v26.0", 0, 0, false, false,
  "Graph API version, unless the channel names its own")
X(OPT_WINDOW_CLOSING, "whatsapp.window_closing", "window-closing", OPTION_TIME, "1h", 60000, 86400000, true, false,
  "the event window.closing tells so long before free text may no longer be sent")
X(OPT_MARK_READ, "whatsapp.mark_read", "mark-read", OPTION_BOOL, "false", 0, 0, true, false,
  "mark a customer's message as read, and show that somebody types, when the agent begins to answer")
X(OPT_PROBE_EVERY, "whatsapp.probe_every", "probe-every", OPTION_TIME, "60s", 100, 3600000, true, false,
  "how often a channel that was paused for its credentials or account is tried; it goes on once that works")
X(OPT_NUMBER_RATE, "whatsapp.number_rate", "number-rate", OPTION_INT, "80", 0, 100000, true, false,
  "messages a second one number may send; 0: no pacing by number")
X(OPT_PAIR_BURST, "whatsapp.pair_burst", "pair-burst", OPTION_INT, "45", 0, 100000, true, false,
  "messages one number may send to one customer at once; each is earned back in 6 seconds; 0: no pacing by customer")
X(OPT_MEDIA_MAX, "whatsapp.media_max", "media-max", OPTION_SIZE, "16MiB", 1024, 104857600, true, false,
  "larger media files of customers are not fetched")
X(OPT_DOUBT_GRACE, "send.doubt_grace", "send-doubt-grace", OPTION_TIME, "45s", 0, 3600000, true, false,
  "how long a send whose outcome is unknown waits for its status before it is decided; only time in which Chasqui runs counts")
X(OPT_DOUBTS, "send.doubts", "send-doubts", OPTION_INT, "1", 1, 10, true, false,
  "attempts of a send whose outcome stays unknown before it is given up; 1: it is held and never sent again; more: a customer may get it twice")
X(OPT_REPLY_MAX_AGE, "agent.reply_max_age", "reply-max-age", OPTION_TIME, "15m", 1000, 86400000, true, false,
  "a customer's message older than this is handed to a person instead of answered")
X(OPT_QUIET_TIME, "agent.quiet_time", "quiet-time", OPTION_TIME, "1s", 0, 60000, true, false,
  "wait this long after a customer's last message before answering (bursts get one answer)")
X(OPT_MODEL_TIME, "agent.model_time", "model-time", OPTION_TIME, "50s", 1000, 55000, true, false,
  "a model server has this long to write an answer, all attempts together; then the fallback answers")
X(OPT_FILE_TIME, "agent.file_time", "file-time", OPTION_TIME, "40s", 100, 50000, true, false,
  "an answer waits so long for a voice message to be written down or a document to be read; then a person gets the conversation")
X(OPT_VISION_MAX, "agent.vision_max", "vision-max", OPTION_SIZE, "4MiB", 1024, 20971520, true, false,
  "larger pictures are not given to a model that sees; a person gets the conversation")
X(OPT_MODEL_FIRST, "agent.model_first", "model-first", OPTION_TIME, "20s", 100, 55000, true, false,
  "a model server has this long for the first piece of an answer; then the attempt has failed")
X(OPT_EVENT_RETRIES, "webhooks.schedule", "webhooks-schedule", OPTION_TEXT,
  "0,5,300,1800,7200,18000,36000,50400,72000,86400", 0, 0, true, false,
  "seconds before each attempt of an event delivery, live mode")
X(OPT_EVENT_RETRIES_TEST, "webhooks.schedule_test", "webhooks-schedule-test", OPTION_TEXT, "0,5,300,1800", 0, 0, true,
  false, "the same for test mode")
X(OPT_EVENT_DISABLE, "webhooks.disable_after", "webhooks-disable-after", OPTION_TIME, "5d", 1000, 31536000000, true, false,
  "an endpoint with nothing but failures for so long is switched off; at half of it webhook.failing tells")
X(OPT_EVENT_ORDER_HOLD, "webhooks.order_hold", "webhooks-order-hold", OPTION_TIME, "10m", 0, 31536000000, true, false,
  "how long a delivery that fails may hold up those behind it at an endpoint with ordered: true")
X(OPT_EVENT_RATE, "webhooks.rate", "webhooks-rate", OPTION_INT, "50", 0, 1000000, false, false,
  "event deliveries a second to one endpoint; 0: unlimited")
X(OPT_ANALYTICS_REST, "analytics.rest", "analytics-rest", OPTION_TIME, "60s", 500, 3600000, true, false,
  "messages and events rest so long before they are rolled up; figures hold them at once all the same")
X(OPT_EMBED_TIME, "knowledge.embed_time", "embed-time", OPTION_TIME, "800ms", 10, 30000, true, false,
  "an embedding server has this long for a question; then words alone are searched")
X(OPT_RERANK_TIME, "knowledge.rerank_time", "rerank-time", OPTION_TIME, "300ms", 10, 30000, true, false,
  "a reranker has this long; then passages stay in the order they have")
X(OPT_CRAWL_DELAY, "knowledge.crawl_delay", "crawl-delay", OPTION_TIME, "1s", 0, 60000, true, false,
  "pause between two requests to a site whose pages are read as knowledge; its robots.txt may ask for more")
X(OPT_SOURCE_RETRY, "knowledge.retry_first", "source-retry", OPTION_TIME, "30s", 1, 3600000, true, false,
  "a knowledge source that cannot be reached is tried again after this time, then after 4 and 20 times as long")
X(OPT_HOOK_KEEP, "retention.hooks", "retention-hooks", OPTION_TIME, "7d", 60000, 31536000000, true, false,
  "how long raw platform webhooks are kept for replay")
X(OPT_EVENT_KEEP, "retention.events", "retention-events", OPTION_TIME, "30d", 60000, 31536000000, true, false,
  "how long events and delivery attempts are kept")
X(OPT_AUDIT_KEEP, "retention.audit", "retention-audit", OPTION_TIME, "365d", 60000, 315360000000, true, false,
  "how long the lines of the audit log are kept; the newest one always stays")
X(OPT_TRACE_KEEP, "retention.traces", "retention-traces", OPTION_TIME, "30d", 60000, 31536000000, true, false,
  "how long the traces of the agent's turns are kept")

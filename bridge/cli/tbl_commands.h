/* tbl_commands.h: every command: X("name", "usage", "summary", "flags it takes", function, "examples") */
X("init", "[--data DIR] [--name N] [--email E] [--plan P] [--json]",
  "create the data directory, the first account, its agent and keys", "name email plan", cli_init,
  "  chasqui init --name \"Corner Bakery\" --email owner@bakery.example\n"
  "  chasqui init --data /srv/chasqui --json\n"
  "  chasqui init --api-key ck_live_...        remember a key and URL for this user\n")
X("serve", "[--data DIR] [--listen HOST:PORT] [--config FILE]", "run the daemon", "", cli_serve,
  "  chasqui serve\n"
  "  chasqui serve --data /srv/chasqui --listen 127.0.0.1:0\n")
X("chat", "[--agent ID] [--thread ID] [MESSAGE]", "talk to the agent in the terminal", "agent account thread", cli_chat,
  "  chasqui chat\n"
  "  chasqui chat \"When do you open on Sunday?\"\n")
X("kb", "push PATH... | search QUERY | ls | gaps | rm ID... | eval DIR", "the agent's knowledge",
  "agent account limit queries run", cli_kb,
  "  chasqui kb push docs/\n"
  "  chasqui kb search \"delivery time\"\n"
  "  chasqui kb gaps                           what customers asked and nothing answered\n"
  "  chasqui kb eval tests/eval/shop           how good the search is on questions with known answers\n")
X("send", "TO TEXT", "send a message to a contact", "agent account", cli_send,
  "  chasqui send +14155550123 \"Your order is ready\"\n"
  "  chasqui --live send +14155550123 \"Your order is ready\"\n")
X("agents", "ls | get [ID]", "the account's agents", "agent account limit", cli_agents,
  "  chasqui agents ls\n"
  "  chasqui agents get --json\n")
X("conversations", "ls | get ID", "conversations and their messages", "agent account limit", cli_conversations,
  "  chasqui conversations ls\n"
  "  chasqui conversations get cnv_01J...\n")
X("leads", "ls | get ID", "what contacts told about buying", "agent account limit", cli_leads,
  "  chasqui leads ls\n"
  "  chasqui leads get led_01J...\n")
X("appointments", "ls | get ID", "appointments of the account's agents", "agent account limit", cli_appointments,
  "  chasqui appointments ls\n"
  "  chasqui appointments get apt_01J...\n")
X("hooks", "ls | replay ID... | replay --since TIME", "what platforms posted, as it came", "account limit since", cli_hooks,
  "  chasqui --live hooks ls\n"
  "  chasqui --live hooks replay --since 2026-05-10T14:00:00Z\n")
X("flows", "ls | push FILE | test ID MESSAGE...", "conversations that follow a plan", "agent account", cli_flows,
  "  chasqui flows push booking.json           made, or replaced if there is one of that name\n"
  "  chasqui flows test flw_01JQ \"book\" \"Ana\" \"tomorrow\"\n")
X("sample", "WEEK [DAY...]", "play a week of customers in test mode and compare what comes of it", "agent account", cli_sample,
  "  chasqui sample deploy/week.json\n"
  "  chasqui sample deploy/week.json Mon Tue\n")
X("keys", "ls | create NAME | rotate ID | revoke ID", "API keys", "account scopes allowed-ips", cli_keys,
  "  chasqui keys create \"till software\" --scopes read,messages\n"
  "  chasqui keys create \"head office\" --allowed-ips 192.0.2.0/24,2001:db8::7\n"
  "  chasqui keys revoke key_01J...\n")
X("accounts", "ls | create --name N [--email E] [--plan P]", "accounts of this installation", "name email plan",
  cli_accounts,
  "  chasqui accounts create --name \"Second Shop\" --plan pro --json\n"
  "  chasqui accounts ls\n")
X("listen", "--forward-to URL [--events E,...] [--limit N]", "post events to a program under development; r and Enter sends the last again",
  "forward-to events limit account", cli_listen,
  "  chasqui listen --forward-to http://localhost:3000/events\n"
  "  chasqui --live listen --forward-to http://localhost:3000/events --events message.*\n")
X("events", "tail | ls [--events E,...] [--limit N]", "the account's events, as they happen or the newest", "events limit account",
  cli_events,
  "  chasqui events tail\n"
  "  chasqui events ls --events handoff.triggered --json\n")
X("trigger", "EVENT", "make an event happen, with real objects of test mode", "agent account", cli_trigger,
  "  chasqui trigger handoff.triggered\n"
  "  chasqui trigger list\n")
X("verify", "--secret S [--signature V] [--id ID --timestamp T] < BODY", "check a delivery's signature", "secret signature id timestamp",
  cli_verify,
  "  chasqui verify --secret whsec_... --signature sha256=... < body.json\n"
  "  chasqui verify --secret whsec_... --id evt_... --timestamp 1700000000 --signature v1,... < body.json\n")
X("dead-letters", "ls | retry ID...|--all | drop ID...|--all", "jobs that were given up", "all limit account", cli_dead_letters,
  "  chasqui --live dead-letters ls\n"
  "  chasqui --live dead-letters retry --all\n")
X("queue", "", "what waits, by queue, destination and age", "limit", cli_queue, "  chasqui queue\n  chasqui queue --json\n")
X("get", "PATH", "any GET of the REST API", "account", cli_request,
  "  chasqui get /api/v1/me/\n"
  "  chasqui get /admin/queue\n")
X("post", "PATH [JSON]", "any POST of the REST API; the body from the argument or, with -, from stdin", "account",
  cli_request,
  "  chasqui post /api/v1/sandbox/inbound/ '{\"from\":\"+14155550100\",\"text\":\"Hello\"}'\n"
  "  chasqui post /api/v1/agents/ - < agent.json\n")
X("patch", "PATH [JSON]", "any PATCH of the REST API", "account", cli_request,
  "  chasqui patch /api/v1/agents/agt_01J.../ '{\"name\":\"Till\"}'\n")
X("delete", "PATH", "any DELETE of the REST API", "account", cli_request,
  "  chasqui delete /api/v1/keys/key_01J.../\n")
X("backup", "DIR [--with-key]", "copy everything into an empty directory, also while the daemon runs", "with-key", cli_backup,
  "  chasqui backup /srv/backup/chasqui-monday\n")
X("restore", "DIR [--key FILE]", "make a new data directory out of a backup", "key", cli_restore,
  "  chasqui restore /srv/backup/chasqui-monday --data /srv/chasqui --key /root/master.key\n")
X("compact", "", "write the store's file anew without what was deleted; the daemon must be stopped", "", cli_compact,
  "  chasqui compact\n")
X("doctor", "", "check the installation and say what to do", "", cli_doctor, "  chasqui doctor\n  chasqui doctor --json\n")
X("check-config", "[--config FILE] [--effective]", "check the configuration", "effective", cli_check_config,
  "  chasqui check-config --config /etc/chasqui/chasqui.conf\n"
  "  chasqui check-config --effective\n")
X("version", "", "print the version", "", cli_version, "  chasqui version --json\n")
X("man", "", "print the manual page", "", cli_man, "  chasqui man | man -l -\n")
X("help", "[COMMAND]", "explain a command", "", cli_help, "  chasqui help kb\n")

// window.js: sends one message on the channel whose page this is and shows the lines of the stream as they come.
// The key lives as long as the page: it is never stored, and nothing is asked of any other host.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const base = window.location.pathname.replace(/\/docs\/?$/, "");
  const byId = (id) => document.getElementById(id);
  const [answer, lines] = [byId("answer"), byId("lines")];

  byId("channel").textContent = base.split("/").pop();
  byId("document").href = base + "/openapi.json";
  byId("thread").value = "test-" + Math.random().toString(36).slice(2, 10);

  const show = (line) => {
    lines.textContent += line + "\n";
    if (!line.startsWith("data: ")) return;
    const event = JSON.parse(line.slice(6));
    if (event.event === "on_chat_model_start") answer.textContent = "";
    answer.textContent += event.message;
    if (event.error) answer.textContent = event.error.message;
  };

  const upload = async (headers) => {
    const file = byId("file").files[0];
    if (!file) return null;
    const form = new FormData();
    form.append("file", file);
    const reply = await fetch(base + "/files", { method: "POST", headers, body: form });
    const body = await reply.json();
    if (!reply.ok) throw new Error(body.message);
    return [body.url];
  };

  const read = async (reply) => {
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const parts = (rest + value).split("\n");
      rest = parts.pop();
      parts.filter((part) => part).forEach(show);
    }
  };

  byId("form").addEventListener("submit", async (event) => {
    event.preventDefault();
    answer.textContent = "";
    lines.textContent = "";
    const headers = { "vivi-api-key": byId("key").value };
    try {
      const attachedFiles = await upload(headers);
      const reply = await fetch(`${base}/${byId("endpoint").value}`, {
        method: "POST",
        headers: { ...headers, "Content-Type": "application/json" },
        body: JSON.stringify({ message: byId("message").value, threadId: byId("thread").value, attachedFiles }),
      });
      if (reply.ok && byId("endpoint").value === "stream") {
        await read(reply);
        return;
      }
      const body = await reply.json();
      lines.textContent = JSON.stringify(body, null, 2);
      answer.textContent = body.message;
    } catch (problem) {
      answer.textContent = problem.message;
    }
  });
});

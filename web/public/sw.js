// The shell of the pages without a network. Data is never kept here: what is shown comes from the server or not at all.
const CACHE = "frontdesk-shell-1";
/** What the document asks for under names that stay. */
const BESIDE = ["/theme.js", "/favicon.svg"];
/** Of all versions that were ever opened here; the oldest go first. One version has about a hundred files. */
const FILES_MAX = 250;

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(["/", ...BESIDE])));
  self.skipWaiting();
});

self.addEventListener("activate", (event) => {
  const old = caches.keys().then((names) => Promise.all(names.filter((n) => n !== CACHE).map((n) => caches.delete(n))));
  event.waitUntil(old.then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(cacheFirst(request));
  else if (BESIDE.includes(url.pathname)) event.respondWith(networkFirst(request, url.pathname));
  else if (request.mode === "navigate" && !url.pathname.startsWith("/api/") && url.search === "") {
    event.respondWith(networkFirst(request, "/"));
  }
});

/** Names under /assets/ hold a hash of their content. */
async function cacheFirst(request) {
  const cache = await caches.open(CACHE);
  const known = await cache.match(request);
  if (known) return known;
  const answer = await fetch(request);
  if (answer.ok) {
    await cache.put(request, answer.clone());
    await forgetOldest(cache);
  }
  return answer;
}

async function forgetOldest(cache) {
  const files = (await cache.keys()).filter(({ url }) => new URL(url).pathname.startsWith("/assets/"));
  await Promise.all(files.slice(0, Math.max(0, files.length - FILES_MAX)).map((file) => cache.delete(file)));
}

/** Kept under a name: every address of a page is the same document. */
async function networkFirst(request, name) {
  const cache = await caches.open(CACHE);
  try {
    const answer = await fetch(request);
    const isPage = answer.headers.get("content-type")?.startsWith("text/html") === true;
    if (answer.ok && isPage === (name === "/")) await cache.put(name, answer.clone());
    return answer;
  } catch {
    return (await cache.match(name)) ?? Response.error();
  }
}

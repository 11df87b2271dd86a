// Shows the steps of the set-up as they change, until nothing more happens by itself.
(() => {
  const EVERY = 2000;
  const steps = document.getElementById("steps");
  const live = document.getElementById("live");
  let shown = "";

  const isLive = () => steps.querySelector("[data-live=true]") !== null;

  // Whoever has come to a link by keyboard must not be thrown back to the top.
  const replace = (html) => {
    const focused = steps.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    steps.innerHTML = html;
    if (focused !== null) {
      for (const link of steps.querySelectorAll("a")) {
        if (link.getAttribute("href") === focused) link.focus();
      }
    }
  };

  const stop = (words) => {
    live.querySelector("span").textContent = words;
  };

  const look = async () => {
    try {
      const answer = await fetch("/setup/progress", { headers: { Accept: "text/html" } });
      if (answer.status === 401 || answer.status === 403) return stop("The session is over.");
      if (answer.ok) {
        const html = await answer.text();
        if (html !== shown) replace(html);
        shown = html;
        if (!isLive()) return stop("Nothing more happens here by itself.");
      }
    } catch {
      // The service is being restarted, or the network is away: the next time will do.
    }
    setTimeout(look, EVERY);
  };

  setTimeout(look, EVERY);
})();

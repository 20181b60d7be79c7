// The login page. It stands alone: nothing else of the application is shown to whoever is not signed in.
const form = document.getElementById("login"), said = document.getElementById("said"), button = form.querySelector("button");
const HERE = new URL(".", document.baseURI);

// Where to go on: a page of this server, whatever stands in the address.
export function wanted(text) {
    const url = URL.canParse(text, HERE) ? new URL(text, HERE) : HERE;
    return url.origin === HERE.origin ? url : HERE;
}

form.addEventListener("submit", async event => {
    event.preventDefault();
    button.disabled = true;
    said.textContent = "";
    try {
        const body = JSON.stringify(Object.fromEntries(new FormData(form)));
        const reply = await fetch(new URL("api/v1/login", HERE), { method: "POST", headers: { "Content-Type": "application/json" }, body });
        if (reply.ok) return location.replace(wanted(new URLSearchParams(location.search).get("next") ?? "app/"));
        const { message } = await reply.json().catch(() => ({}));
        said.textContent = reply.status === 401 ? "Name or password is wrong." : `Not signed in: ${message ?? `the server answered ${reply.status}`}.`;
        form.elements.password.select();
    } catch {
        said.textContent = "No connection to the server.";
    } finally {
        button.disabled = false;
    }
});

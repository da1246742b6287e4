"""Logging in by OpenID Connect, against a provider that runs here: docs/deploy.md's way."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from micrec_core.ui.viewer import viewer
from tests.journeys.app import ROOT, free_port, start

jwk, jwt = pytest.importorskip("joserfc.jwk"), pytest.importorskip("joserfc.jwt")
pytest.importorskip("authlib")
KEY = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
SECRETS = """[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "a secret of the test's own, long enough"
client_id = "micrec"
client_secret = "between the two"
server_metadata_url = "{provider}/.well-known/openid-configuration"
"""


PERSON = {"sub": "7", "email": "ada@example.org", "email_verified": True}
NONCES: dict[str, str] = {}


class Provider(BaseHTTPRequestHandler):
    """Lets in whoever comes, as one person."""

    @property
    def issuer(self):
        return f"http://{self.headers['Host']}"

    def do_GET(self):
        parts = urlsplit(self.path)
        if parts.path == "/authorize":
            asked = {k: v[0] for k, v in parse_qs(parts.query).items()}
            NONCES["c1"] = asked["nonce"]
            back = urlencode({"code": "c1", "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()
        elif parts.path == "/jwks":
            self.answer({"keys": [KEY.as_dict(private=False)]})
        else:
            at = {name: f"{self.issuer}/{name}" for name in ("authorize", "token", "jwks")}
            self.answer({
                "issuer": self.issuer, "authorization_endpoint": at["authorize"],
                "token_endpoint": at["token"], "jwks_uri": at["jwks"],
                "code_challenge_methods_supported": ["S256"],
            })  # fmt: skip

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": "micrec", "iat": now, "exp": now + 600,
                  "nonce": NONCES["c1"], **PERSON}  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        self.answer({"access_token": "t", "token_type": "Bearer", "id_token": signed})

    def answer(self, said):
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_the_page_on_deploying_names_the_settings_that_are_tried():
    told = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").split("[auth]\n")[1]
    lines = [line.strip() for line in told.split("\n\n")[0].splitlines()]
    assert [line.split(" = ")[0] for line in lines] == re.findall(r"^(\w+) = ", SECRETS, re.M)


@pytest.fixture
def server(tmp_path):
    provider = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    port = free_port()
    secrets = tmp_path / "secrets.toml"
    where = {"app": f"http://127.0.0.1:{port}",
             "provider": f"http://127.0.0.1:{provider.server_port}"}  # fmt: skip
    secrets.write_text(SECRETS.format(**where))
    found = start(
        tmp_path / "app", port=port, MICREC_COMPILE="no", STREAMLIT_SECRETS_FILES=str(secrets)
    )
    yield found
    found.stop()
    provider.shutdown()


def log_in(url):
    """Go where the app sends a browser, and come back; the cookies that are kept."""
    with httpx.Client(base_url=url, timeout=60) as browser:
        browser.get("/_stcore/health")
        with viewer(url, cookies=dict(browser.cookies)) as one:
            seen = one.see("overview")
            assert seen.settled and seen.first is None and "Log in" in one.buttons
            one.click("overview", "Log in")
        assert one.sent_to
        answer = browser.get(one.sent_to, follow_redirects=True)
        assert answer.status_code == 200, answer.text[:300]
        assert any(name.startswith("_streamlit_user") for name in browser.cookies)
        return dict(browser.cookies)


@pytest.mark.timeout(600)
def test_someone_logs_in_and_sees_the_runs(server):
    cookies = log_in(server.url)
    with viewer(server.url, cookies=cookies) as one:
        seen = one.see("overview")
        assert seen.first is not None and not seen.error, server.said()
        assert any("ada" in label for label in one.buttons)
    # A cookie that somebody made up, or changed, is nobody's.
    forged = cookies | {"_streamlit_user": cookies["_streamlit_user"][:-4] + "AAAA"}
    with viewer(server.url, cookies=forged) as one:
        assert one.see("overview").first is None and "Log in" in one.buttons

"""Way in 7: the application behind nginx, which shows it below a path to browsers elsewhere."""

import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
NAME = "photos.example"
CONFIG = """
daemon off;
pid {folder}/pid;
error_log stderr error;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    client_max_body_size 64m;
    location /heap/ {{
      proxy_pass {address}/;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_set_header X-Forwarded-Proto https;
    }}
  }}
}}
"""
"""As docs/collections.md has it; the scheme is one that another proxy in front would have."""


@contextmanager
def served(run: Path, *options: str) -> Iterator[tuple[str, str]]:
    """Address and token of the application; what it prints goes on to our standard error."""
    command = [sys.executable, "-m", "heap", "serve", str(run), "--port", "0", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        assert child.stderr is not None
        told = child.stderr.readline()
        printed = re.search(r"http://[^\s,]+", told)
        assert printed, told
        page = urlsplit(printed[0])
        try:
            yield f"http://{page.netloc}", parse_qs(page.query)["token"][0]
        finally:
            child.terminate()


@contextmanager
def proxied(address: str, folder: Path) -> Iterator[int]:
    """Port of a proxy of the application."""
    if not Path(NGINX).is_file():
        pytest.skip("there is no nginx here; install one (Debian: apt-get install nginx-light)")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, address=address))
    with subprocess.Popen([NGINX, "-p", str(folder), "-c", str(config)]) as child:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert child.poll() is None, "nginx has ended"
                time.sleep(0.05)
            yield port
        finally:
            child.terminate()


@pytest.mark.way(7, "The application could not be shown below a path of a proxy")
def test_nginx_shows_it_below_a_path_by_its_own_name(run: Path, tmp_path: Path) -> None:
    options = ("--root-path", "/heap/", "--proxy", "127.0.0.1", "--allow-host", NAME)
    with (
        served(run, *options) as (address, token),
        proxied(address, tmp_path) as port,
        httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Host": NAME}, timeout=60
        ) as client,
    ):
        assert client.get("/heap/").status_code == 401
        first = client.get(f"/heap/?token={token}")
        assert (first.status_code, first.headers["location"]) == (303, "./")
        cookie = first.headers["set-cookie"].lower()
        assert "path=/heap" in cookie
        assert "secure" in cookie
        # The client speaks HTTP and does not send a cookie for HTTPS back by itself.
        client.headers["Cookie"] = first.headers["set-cookie"].partition(";")[0]
        page = client.get("/heap/")
        assert 'src="static/main.js"' in page.text
        for path in ("static/main.js", "api/contents", "pictures/photo?key=01.png", "docs"):
            assert client.get(f"/heap/{path}").status_code == 200
        assert "/heap/openapi.json" in client.get("/heap/docs").text
        assert "'unsafe-inline'" in client.get("/heap/docs").headers["content-security-policy"]
        change = {"ids": ["01.png#0"], "rejected": False}
        for origin, status in ((f"https://{NAME}", 200), ("https://evil.example", 403)):
            answer = client.post(
                "/heap/api/objects/rejected", json=change, headers={"Origin": origin}
            )
            assert answer.status_code == status
        foreign = client.get("/heap/", headers={"Host": "evil.example"})
        assert foreign.status_code == 400
        assert "--allow-host evil.example" in foreign.json()["detail"]


@pytest.mark.way(7, "No proxy could be named whose forwarded host and scheme are believed")
def test_nobody_but_the_named_proxies_is_believed(run: Path) -> None:
    told = {"X-Forwarded-Host": NAME, "X-Forwarded-Proto": "https", "Host": "evil.example"}
    for proxy, status in (("10.0.0.0/8", 400), ("127.0.0.0/8", 303)):
        with served(run, "--proxy", proxy, "--allow-host", NAME) as (address, token):
            answer = httpx.get(f"{address}/?token={token}", headers=told)
            assert answer.status_code == status


def test_who_names_a_proxy_gets_a_token_and_localhost_is_no_way_around_it(run: Path) -> None:
    with served(run, "--proxy", "127.0.0.1") as (address, _):
        told = {"X-Forwarded-Host": "localhost", "Host": "evil.example"}
        assert httpx.get(f"{address}/api/run", headers=told).status_code == 401
        assert httpx.get(f"{address}/api/run").status_code == 401


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [("--proxy", "nginx", "127.0.0.1"), ("--root-path", "heap", "/heap"),
     ("--root-path", "https://x/heap", "/heap")],
)  # fmt: skip
def test_what_is_no_proxy_and_no_path_is_refused(
    run: Path, python: list[str], option: str, value: str, advice: str
) -> None:
    command = [*python, "-m", "heap", "serve", str(run), option, value]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert value in done.stderr
    assert advice in done.stderr

"""Has slowhttptest, a foreign attacker, hold more connections than the gateway does, in each of its modes.
Meanwhile other clients must be served.

    slow_clients.py URL TOKEN DIRECTORY
"""

import subprocess
import sys
import time
import urllib.request

url, token, directory = sys.argv[1:]
SECONDS = 8
MODES = {
    "-H": ["-i", "1", "-x", "24"],
    "-B": ["-i", "1", "-x", "10", "-s", "8192"],
    "-R": ["-a", "5", "-b", "500"],
    "-X": ["-k", "3", "-n", "1", "-z", "32", "-w", "64", "-y", "256"],
}


def ask():
    began = time.monotonic()
    request = urllib.request.Request(
        f"{url}/v1/meters", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200 and answer.read()
    return time.monotonic() - began


for mode, more in MODES.items():
    attack = subprocess.Popen(
        ["/usr/bin/slowhttptest", mode, "-c", "1200", "-r", "600", "-l", str(SECONDS), "-p", "5"]
        + ["-u", f"{url}/openapi.json"]
        + more,
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    took = []
    while attack.poll() is None:
        took.append(ask())
        time.sleep(0.02)
    said = attack.stdout.read()
    assert attack.returncode == 0, said
    assert "service available:" in said, said
    # It ends early where the gateway has ended all of its connections.
    assert len(took) > 2, said
    print(f"== slowhttptest {mode}: {len(took)} others were served, the slowest in {max(took):.2f} s")
print("slow clients ok")

"""What a broker runs on: Java, and Kafka's jars, fetched with Maven as `deploy/kafka/pom.xml` pins them."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from streams.errors import BrokerError

ROOT = Path(__file__).resolve().parent.parent
POM = ROOT / "deploy" / "kafka" / "pom.xml"
DEFAULT_DIR = ROOT / ".crossnet" / "kafka"
JARS = DEFAULT_DIR / "jars"
_JAVA_AT_LEAST = 17


def fetch_jars() -> Path:
    """The folder with Kafka's jars; Maven fetches them when `deploy/kafka/pom.xml` is new or changed."""
    if not POM.exists():
        raise BrokerError(f"{POM} is missing: run from a checkout, or set CROSSNET_BOOTSTRAP to a broker of yours")
    kept = JARS / "pom.xml"
    if kept.exists() and kept.read_bytes() == POM.read_bytes():
        return JARS
    maven = shutil.which("mvn")
    if maven is None:
        remedy = "install it (`apt-get install maven`, `brew install maven`) or run `deploy/run setup`"
        raise BrokerError(f"no Maven (mvn) to fetch Kafka with; {remedy}")
    # Whole or not at all: an interrupted fetch must not leave half a broker behind.
    fetched = JARS.with_name(f"jars.{os.getpid()}")
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={fetched}", "-DincludeScope=runtime"]
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            [maven, "-q", "-B", "-f", str(POM), *goal], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode:
            said = _first_error(done.stdout + done.stderr)
            raise BrokerError(f"Maven could not fetch Kafka: {said}; check the network and try again")
        shutil.copyfile(POM, fetched / "pom.xml")
        shutil.rmtree(JARS, ignore_errors=True)
        fetched.rename(JARS)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)
    return JARS


def find_java() -> str:
    """The Java to run Kafka on; BrokerError with the remedy when there is none or it is too old."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None) or shutil.which("java")
    remedy = "install one (`apt-get install openjdk-17-jre-headless`, `brew install openjdk`) or run `deploy/run setup`"
    if java is None:
        raise BrokerError(f"no Java to run Kafka on; {remedy}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603 - our own arguments
    major = re.search(r'version "(\d+)', said)
    if major is None or int(major[1]) < _JAVA_AT_LEAST:
        raise BrokerError(f"{java} is {last_line(said, first=True)!r}, Kafka needs Java {_JAVA_AT_LEAST} or newer; {remedy}")
    return java


def jvm_command(java: str, jars: Path) -> list[str]:
    """How a class of Kafka's is started."""
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    return [java, "-Xmx512m", "-Djava.net.preferIPv4Stack=true", quiet, "-cp", f"{jars}/*"]


def last_line(text: str, *, first: bool = False) -> str:
    """The last thing a program said that is no place in a traceback, or the first."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    return lines[0 if first else -1] if lines else "it said nothing"


def _first_error(text: str) -> str:
    errors = [line for line in text.splitlines() if line.startswith("[ERROR]")]
    return last_line("\n".join(errors) or text, first=True)

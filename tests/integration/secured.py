"""A broker of its own that wants TLS and a password, lets nobody do what no ACL allows, and has users to try that with."""

import asyncio
import base64
import subprocess
import uuid
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import for_code
from aiokafka.protocol.admin import CreateAclsRequest

from streams import connection
from streams.acls import Acl
from streams.broker import HOST, SINGLE_NODE, free_port
from streams.kafka_jars import fetch_jars, find_java, jvm_command
from streams.pidfile import PidFile, within
from streams.settings import KafkaSettings

ADMIN = "admin"
_PROPERTIES = SINGLE_NODE + """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller_port}
controller.listener.names=CONTROLLER
listeners=SASL_SSL://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=SASL_SSL://{host}:{port}
listener.security.protocol.map=SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT
inter.broker.listener.name=SASL_SSL
sasl.enabled.mechanisms=SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required username="{admin}" password="{password}";
ssl.keystore.type=PKCS12
ssl.keystore.location={folder}/server.p12
ssl.keystore.password={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
# The controller's own listener, loopback only, knows no users.
super.users=User:{admin};User:ANONYMOUS
log.dirs={folder}/data
auto.create.topics.enable=false
"""
_KEYSTORE = "of-a-test"
_EXTENSIONS = (f"SAN=ip:{HOST}", "BasicConstraints:critical=ca:true", "KeyUsage:critical=keyCertSign,digitalSignature")
# Numbers of Kafka's protocol.
_KINDS = {"topic": 2, "group": 3, "cluster": 4, "transactional-id": 5}
_OPERATIONS = {"Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Describe": 8, "DescribeConfigs": 10}
_LITERAL, _ALLOW = 3, 3


class Secured:
    """One broker; use it as a context manager. `passwords` are by user."""

    def __init__(self, folder: Path, users: Iterable[str]) -> None:
        self.bootstrap = f"{HOST}:{free_port()}"
        self.ca = folder / "ca.pem"
        self.passwords = {user: f"secret-{uuid.uuid4().hex}" for user in (ADMIN, *users)}
        self._folder = folder
        self._pid = PidFile(folder / "broker.pid")

    def settings(self, user: str) -> KafkaSettings:
        """How this user reaches the broker; his password is in a file."""
        file = self._folder / f"{user}.password"
        file.write_text(self.passwords[user] + "\n", "utf-8")
        return KafkaSettings(
            bootstrap=self.bootstrap, security="SASL_SSL", username=user, password_file=str(file), ca_file=str(self.ca)
        )

    def allow(self, user: str, acls: Iterable[Acl]) -> None:
        """Give a user these rights."""
        asyncio.run(self._allow(user, list(acls)))

    async def _allow(self, user: str, acls: list[Acl]) -> None:
        async with connection.admin(self.settings(ADMIN)) as client:
            for one in acls:
                await _create(client, user, one)

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pid.stop(10)

    def _start(self) -> None:
        certificate(self._folder / "server.p12", self.ca)
        port = int(self.bootstrap.rsplit(":", 1)[1])
        properties = self._folder / "server.properties"
        text = _PROPERTIES.format(
            host=HOST, port=port, controller_port=free_port(), folder=self._folder, keystore=_KEYSTORE,
            admin=ADMIN, password=self.passwords[ADMIN],
        )  # fmt: skip
        properties.write_text(text, "utf-8")
        jvm = jvm_command(find_java(), fetch_jars())
        cluster = base64.urlsafe_b64encode(b"\0" + uuid.uuid4().bytes[1:]).decode()[:22]
        scram = [f"--add-scram=SCRAM-SHA-512=[name={user},password={word}]" for user, word in self.passwords.items()]
        tool = [*jvm, "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format", "--cluster-id", cluster, "--config"]
        done = subprocess.run([*tool, str(properties), *scram], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr
        process = self._pid.start([*jvm, "kafka.Kafka", str(properties)], self._folder / "broker.log", port)
        assert process is not None
        up = within(60, lambda: process.poll() is not None or asyncio.run(connection.why(self.settings(ADMIN))) is None)
        assert up, (self._folder / "broker.log").read_text("utf-8")[-2000:]
        assert process.poll() is None, (self._folder / "broker.log").read_text("utf-8")[-2000:]


def certificate(keystore: Path, pem: Path) -> None:
    """A new key with a certificate for this machine, signed by itself: as Java's keystore, and as the PEM that clients trust."""
    common = ["-keystore", str(keystore), "-storepass", _KEYSTORE, "-alias", "broker"]
    extensions = [word for one in _EXTENSIONS for word in ("-ext", one)]
    key = ["-genkeypair", "-storetype", "PKCS12", "-keyalg", "EC", "-groupname", "secp256r1", "-dname", "CN=crossnet tests"]
    for arguments in ([*key, "-validity", "2", *extensions], ["-exportcert", "-rfc", "-file", str(pem)]):
        done = subprocess.run(["keytool", *arguments, *common], capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stdout + done.stderr


async def _create(client: AIOKafkaAdminClient, user: str, acl: Acl) -> None:
    rule = (_KINDS[acl.kind], acl.name, _LITERAL, f"User:{user}", "*", _OPERATIONS[acl.operation], _ALLOW)
    answer = await client._send_to_controller(CreateAclsRequest(*rule))
    for code, message in answer.creation_responses:
        assert 0 == code, f"{acl}: {for_code(code).__name__} {message}"

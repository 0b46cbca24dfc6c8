"""Checks of texts that are more than texts. Each returns Redis's refusal, or None. Source: Redis 7.0.15, config.c."""

from typing import Final

HOST_NAME_LENGTH_MAX: Final = 255

# What the variables of `proc-title-template` can be at their shortest: only these three may come out empty.
_TITLE_VARIABLES: Final = {
    "title": "",
    "listen-addr": "x",
    "server-mode": "x",
    "port": "x",
    "tls-port": "x",
    "config-file": "",
    "unixsocket": "",
}


def db_file_name_refusal(name: str) -> str | None:
    """`dbfilename`."""
    return None if _is_base_name(name) else "dbfilename can't be a path, just a filename"


def aof_file_name_refusal(name: str) -> str | None:
    """`appendfilename`."""
    if name == "":
        return "appendfilename can't be empty"
    return None if _is_base_name(name) else "appendfilename can't be a path, just a filename"


def aof_directory_name_refusal(name: str) -> str | None:
    """`appenddirname`."""
    if name == "":
        return "appenddirname can't be empty"
    return None if _is_base_name(name) else "appenddirname can't be a path, just a dirname"


def host_name_refusal(name: str) -> str | None:
    """`cluster-announce-hostname`."""
    if len(name.encode("utf-8", "surrogateescape")) > HOST_NAME_LENGTH_MAX:
        return "Hostnames must be less than 256 characters"
    if not all(character.isascii() and (character.isalnum() or character in "-.") for character in name):
        return "Hostnames may only contain alphanumeric characters, hyphens or dots"
    return None


def shutdown_options_refusal(words: frozenset[str]) -> str | None:
    """`shutdown-on-sigint` and `shutdown-on-sigterm`."""
    if words.issuperset(("save", "nosave")):
        return "shutdown options SAVE and NOSAVE can't be used simultaneously"
    return None


def statsd_refusal(target: str) -> str | None:
    """`statsd`: host:port or host:port:prefix."""
    if target == "":
        return None
    host, _, rest = target.partition(":")
    port = rest.partition(":")[0]
    if host == "" or not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535):
        return "argument must be host:port or host:port:prefix"
    return None


def title_template_refusal(template: str) -> str | None:
    """`proc-title-template`: text with `{variable}`s, `{{` for a brace; what comes out may not be blank."""
    refusal = "template format is invalid or contains unknown variables"
    title = ""
    position = 0
    while (brace := template.find("{", position)) >= 0:
        title += template[position:brace]
        if template.startswith("{{", brace):
            title += "{"
            position = brace + 2
            continue
        end = template.find("}", brace)
        variable = _TITLE_VARIABLES.get(template[brace + 1 : end]) if end >= 0 else None
        if variable is None:
            return refusal
        title += variable
        position = end + 1
    title += template[position:]
    return None if title.strip(" ") else refusal


def _is_base_name(name: str) -> bool:
    return "/" not in name and "\\" not in name

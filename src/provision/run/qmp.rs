//! QEMU's machine protocol, as much of it as is needed here: commands without arguments, over a socket.

use serde_json::Value;
use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// How long QEMU may take for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Connects with a socket in `directory`, however long that directory's path is: the path of a socket has 107 bytes.
pub(super) fn connect(directory: &Path, socket: &str) -> Result<UnixStream> {
    let directory = std::fs::File::open(directory)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{socket}", directory.as_raw_fd()))
}

/// Has QEMU carry out this command. What it returns.
pub(super) fn command(directory: &Path, socket: &str, name: &str) -> Result<Value> {
    let mut stream = connect(directory, socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut answers = BufReader::new(stream.try_clone()?).lines();
    let mut answer = || -> Result<Value> {
        let line = answers.next().unwrap_or_else(|| Err(ErrorKind::UnexpectedEof.into()))?;
        serde_json::from_str(&line).map_err(Error::other)
    };
    answer()?;
    let mut result = Value::Null;
    for command in ["qmp_capabilities", name] {
        stream.write_all(serde_json::json!({ "execute": command }).to_string().as_bytes())?;
        stream.write_all(b"\n")?;
        result = loop {
            let answer = answer()?;
            if let Some(error) = answer.get("error") {
                return Err(Error::other(error["desc"].as_str().unwrap_or("QEMU refuses").to_owned()));
            }
            // Events come in between.
            if let Some(result) = answer.get("return") {
                break result.clone();
            }
        };
    }
    Ok(result)
}

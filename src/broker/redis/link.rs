//! One connection, with a limit on how long anything may take.

use std::time::Duration;

use redis::{Client, Cmd, Connection, ToRedisArgs, Value, cmd};

use super::{failure::Failure, scripts::Text};

/// To connect, TLS and log-in included.
const CONNECT: Duration = Duration::from_millis(500);
/// For one answer: a Redis that is stopped must not hold up a stage thread for longer.
pub(super) const ANSWER: Duration = Duration::from_millis(500);

/// A connection that is given up at its first failure: what comes after one may answer an earlier call.
pub(super) struct Link(Connection);

/// One call of a script.
pub(super) struct Call<'a> {
    script: &'a Text,
    keys: Vec<String>,
    arguments: Cmd,
}

impl<'a> Call<'a> {
    pub(super) fn new(script: &'a Text, keys: Vec<String>) -> Self {
        Self { script, keys, arguments: Cmd::new() }
    }

    pub(super) fn arg(mut self, argument: impl ToRedisArgs) -> Self {
        self.arguments.arg(argument);
        self
    }

    pub(super) fn push(&mut self, argument: impl ToRedisArgs) {
        self.arguments.arg(argument);
    }

    /// By the script's hash, or with its whole text where Redis does not know that.
    fn packed(&self, by_hash: bool) -> Vec<u8> {
        let mut command = if by_hash { cmd("EVALSHA") } else { cmd("EVAL") };
        command.arg(if by_hash { &self.script.hash } else { &self.script.body });
        command.arg(self.keys.len()).arg(&self.keys);
        for argument in self.arguments.args_iter() {
            if let redis::Arg::Simple(bytes) = argument {
                command.arg(bytes);
            }
        }
        command.get_packed_command()
    }
}

impl Link {
    pub(super) fn open(client: &Client) -> Result<Self, Failure> {
        let connection = client.get_connection_with_timeout(CONNECT)?;
        connection.set_read_timeout(Some(ANSWER))?;
        connection.set_write_timeout(Some(ANSWER))?;
        Ok(Self(connection))
    }

    pub(super) fn into_inner(self) -> Connection {
        self.0
    }

    pub(super) fn run(&mut self, call: &Call) -> Result<Value, Failure> {
        self.0.send_packed_command(&call.packed(true))?;
        match self.answer() {
            Err(failure) if failure.is_no_script() => {
                self.0.send_packed_command(&call.packed(false))?;
                self.answer()
            }
            answer => answer,
        }
    }

    /// Sends all, then reads the answers: one way there and back. Ends at the first failure: were the answers awaited that
    /// are not to come, each would take its time.
    pub(super) fn run_all(&mut self, calls: &[Call]) -> Result<Vec<Value>, Failure> {
        if calls.is_empty() {
            return Ok(Vec::new()); // the library takes nothing at all for a fault
        }
        let packed: Vec<u8> = calls.iter().flat_map(|call| call.packed(true)).collect();
        self.0.send_packed_command(&packed)?;
        let mut answers = Vec::with_capacity(calls.len());
        let mut unknown = Vec::new();
        for at in 0..calls.len() {
            match self.answer() {
                Err(failure) if failure.is_no_script() => {
                    unknown.push(at);
                    answers.push(Value::Nil);
                }
                answer => answers.push(answer?),
            }
        }
        for at in unknown {
            answers[at] = self.run(&calls[at])?;
        }
        Ok(answers)
    }

    pub(super) fn command(&mut self, command: &Cmd) -> Result<Value, Failure> {
        self.0.send_packed_command(&command.get_packed_command())?;
        self.answer()
    }

    /// All in one way there and back; ends at the first failure.
    pub(super) fn commands(&mut self, commands: &[Cmd]) -> Result<Vec<Value>, Failure> {
        let packed: Vec<u8> = commands.iter().flat_map(Cmd::get_packed_command).collect();
        self.0.send_packed_command(&packed)?;
        commands.iter().map(|_| self.answer()).collect()
    }

    fn answer(&mut self) -> Result<Value, Failure> {
        Ok(self.0.recv_response()?.extract_error()?)
    }
}

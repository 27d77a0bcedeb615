//! How a task's `args` and `kwargs` become the one typed argument of a Rust function.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor},
};
use serde_json::{Error, value::RawValue};

use super::TaskFailure;

/// Both kinds of arguments, as submitted: for functions that take whatever comes.
///
/// The rule by which `args` and `kwargs` become a function's typed argument:
///
/// | argument type | is read from |
/// |---|---|
/// | a struct with exactly the fields `args` and `kwargs`, such as this one | both |
/// | any other struct, or a map | `kwargs`; without those the only element of `args` if that is an object; else (structs) `args` by position |
/// | a tuple, a `Vec`, a type that accepts anything (`serde_json::Value`) | `args`; without those `kwargs` |
/// | a number, text, `bool`, enum | the only element of `args` |
/// | `()` | nothing may be given |
/// | `Option<T>` | `None` if nothing is given, else as `T` |
///
/// Except for the first, a type takes `args` or `kwargs`; a task with both does not fit.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Arguments {
    /// A JSON array.
    pub args: Box<RawValue>,
    /// A JSON object.
    pub kwargs: Box<RawValue>,
}

/// Reads a function's argument.
pub(super) fn read<T: DeserializeOwned>(args: &str, kwargs: &str) -> Result<T, TaskFailure> {
    let input = Input { args, kwargs };
    // Tracking the path costs an allocation per key: only a misfit, read a second time, pays for it.
    T::deserialize(input).map_err(|error| misfit(serde_path_to_error::deserialize::<_, T>(input).err(), &error, None))
}

/// Reads one of the two texts alone.
pub(super) fn read_json<T: DeserializeOwned>(text: &str, root: &str) -> Result<T, TaskFailure> {
    serde_json::from_str(text).map_err(|error| {
        let mut again = serde_json::Deserializer::from_str(text);
        misfit(serde_path_to_error::deserialize::<_, T>(&mut again).err(), &error, Some(root))
    })
}

fn misfit(located: Option<serde_path_to_error::Error<Error>>, error: &Error, root: Option<&str>) -> TaskFailure {
    let path = located.map(|error| error.path().to_string()).filter(|path| path != ".");
    let reason = error.to_string();
    // Line and column in a text of one line that the submitter may never have seen as such say nothing.
    let reason = reason.rfind(" at line ").map_or(reason.as_str(), |end| &reason[..end]);
    TaskFailure::arguments(match (root, path) {
        (None, None) => format!("the arguments do not fit: {reason}"),
        (Some(root), None) => format!("argument `{root}`: {reason}"),
        (None, Some(path)) => format!("argument `{path}`: {reason}"),
        (Some(root), Some(path)) if path.starts_with('[') => format!("argument `{root}{path}`: {reason}"),
        (Some(root), Some(path)) => format!("argument `{root}.{path}`: {reason}"),
    })
}

/// The two texts as one serde input: what the type asks for decides what it is given, so each is parsed once at most.
#[derive(Clone, Copy)]
struct Input<'de> {
    args: &'de str,
    kwargs: &'de str,
}

/// Whether a JSON array or object has nothing in it.
fn is_empty(text: &str) -> bool {
    let text = text.trim();
    text.get(1..text.len().saturating_sub(1)).is_none_or(|inner| inner.trim_start().is_empty())
}

impl<'de> Input<'de> {
    /// All that was given.
    fn given(self) -> Result<&'de str, Error> {
        match (is_empty(self.args), is_empty(self.kwargs)) {
            (_, true) => Ok(self.args),
            (true, false) => Ok(self.kwargs),
            (false, false) => Err(Error::custom(
                "it takes either positional (args) or named (kwargs) arguments, and the task has both",
            )),
        }
    }

    fn nothing_given(self) -> bool {
        is_empty(self.args) && is_empty(self.kwargs)
    }

    /// The only positional argument, if there is exactly one.
    fn only(self) -> Option<&'de str> {
        let [element] = serde_json::from_str::<[&'de RawValue; 1]>(self.args).ok()?;
        Some(element.get())
    }

    /// For types that are one value, not a list of them.
    fn one_value(self) -> Result<&'de str, Error> {
        let given = self.given()?;
        if !is_empty(self.kwargs) {
            return Ok(given);
        }
        self.only().ok_or_else(|| Error::custom("expected exactly one positional argument"))
    }

    /// For types with named fields.
    fn named(self) -> Result<&'de str, Error> {
        let given = self.given()?;
        if is_empty(self.args) {
            return Ok(self.kwargs);
        }
        Ok(self.only().filter(|element| element.starts_with('{')).unwrap_or(given))
    }
}

macro_rules! one_value {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            serde_json::Deserializer::from_str(self.one_value()?).$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Input<'de> {
    type Error = Error;

    one_value! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_identifier
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.one_value()?).deserialize_enum(name, variants, visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.given()?).deserialize_any(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.given()?).deserialize_seq(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        serde_json::Deserializer::from_str(self.named()?).deserialize_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if matches!(fields, ["args", "kwargs"] | ["kwargs", "args"]) {
            let both = [("args", self.args), ("kwargs", self.kwargs)];
            return visitor.visit_map(Both { rest: both.into_iter(), value: "" });
        }
        serde_json::Deserializer::from_str(self.named()?).deserialize_struct(name, fields, visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.nothing_given() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.nothing_given() { visitor.visit_unit() } else { Err(Error::custom("it takes no arguments")) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_unit()
    }
}

/// `{"args": …, "kwargs": …}` without putting the text together.
struct Both<'de> {
    rest: std::array::IntoIter<(&'static str, &'de str), 2>,
    value: &'de str,
}

impl<'de> MapAccess<'de> for Both<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        seed.deserialize(&mut serde_json::Deserializer::from_str(self.value))
    }
}

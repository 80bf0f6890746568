//! Every setting, once: name, default, allowed values and help. Documents and the command line
//! read [`settings`]; [`ServerConfig`] holds the values.
//!
//! A setting has one name everywhere: `min_face_side` in the TOML file, `LIVECHECK_MIN_FACE_SIDE`
//! in the environment, `--min-face-side` as a flag. Later ones win: default, file, environment,
//! flag.

mod derived;
mod error;
mod load;
mod memory;
mod secrets;
mod settings;
mod value;

pub use derived::Listener;
pub use error::ConfigError;
pub use memory::{MemoryBound, memory_limit};
pub use settings::{
    AccessConfig, AuditConfig, ENV_PREFIX, EndpointsConfig, EngineSettings, InferenceConfig,
    LogConfig, NetworkConfig, PoolConfig, RESERVED_CONNECTIONS, SECRETS, ServerConfig, Setting,
    TimesConfig, settings,
};
pub use value::{
    AuditFailure, Exposure, ForwardedHeader, HexKey, LogFormat, Networks, Origins, Secret,
    Sha256Hex, Share, Switch, Token,
};

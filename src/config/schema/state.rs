//! The keys of `[state]`, `[control]` and `[confine]`.

use crate::config::declare::section;
use crate::config::value::ConfigValue;
use crate::domain::limits::{HISTORY_MAX, HISTORY_MIN};
use crate::domain::policy::Sync;
use crate::domain::time::Span;
use std::path::PathBuf;

/// Most folders that are opened to writing.
const WRITE_MAX: usize = 64;

section! {
    /// `[state]`.
    StateDraft {
    dir: PathBuf {
        read: by(ConfigValue::path),
        form: "<path>",
        example: r#""/var/lib/heartbeat-server""#,
        restart: |old, new| old.state_dir != new.state_dir,
        en: "Where state is kept. Default: $STATE_DIRECTORY, else </var/lib/heartbeat-server> for root, else
        <heartbeat-server> in $XDG_STATE_HOME or <~/.local/state>.",
        zh: "状态保存在哪里。默认 $STATE_DIRECTORY；没有则 root 用 </var/lib/heartbeat-server>，其他用户用 $XDG_STATE_HOME 或 <~/.local/state> 下
        的 <heartbeat-server>。",
        sample: "Where state is kept; by default what the service manager provides, here:",
    }
    sync: Sync {
        read: parsed(),
        form: r#""second" | "always""#,
        default: "second",
        restart: |old, new| old.state.sync != new.state.sync,
        en: r#"When a beat counts as kept and is answered. {default}, the default: once it has been handed to the
        system, which writes it to the disk within a second; a crash of the daemon loses nothing, a power cut at
        most what is younger than that. "always": once it is on the disk; nothing is lost, and each answer waits
        for the disk. While the disk takes nothing, with "second" beats are tracked in memory, and the answer
        says "stored":false; with "always" they are refused with 503."#,
        zh: r#"心跳到什么程度算保存好了，可以答复。{default} 是默认值：交给系统即可，系统在一秒之内写到磁盘；守护进
        程崩溃什么都不丢，断电最多丢这一秒之内的。"always"：写到磁盘才算；什么都不丢，每次答复都要等磁盘。磁
        盘写不进时，"second" 在内存里继续记，答复里写明 "stored":false；"always" 返回 503，不收。"#,
        sample: r#"When a beat counts as kept: "second" survives any crash of the daemon, "always" a power cut too, but
        each answer waits for the disk."#,
    }
    history: Span {
        read: span(HISTORY_MIN..=HISTORY_MAX),
        default: "90d",
        restart: |old, new| old.state.history != new.state.history,
        en: "How long incidents and changes of state are remembered. {range}, default {default}.",
        zh: "故障和状态变化保留多久。{range}，默认 {default}。",
    }
    }
}

section! {
    /// `[control]`.
    ControlDraft {
    socket: Option<PathBuf> {
        read: by(socket),
        form: r#"<path> | "off""#,
        example: r#""/run/heartbeat-server/control.sock""#,
        restart: |old, new| old.control != new.control,
        en: "Where root and the service's user may ask for changes without a token, see `heartbeat-server`(8). At
        most 103 bytes. A folder that is missing is made; where the socket cannot be, the daemon says so and
        goes on without it. The variable HEARTBEAT_CONTROL wins over it. Default: <control.sock> in
        $RUNTIME_DIRECTORY, else in </run/heartbeat-server> for root, else in <heartbeat-server> of
        $XDG_RUNTIME_DIR, else in the state directory.",
        zh: "root 和服务的用户可以不用令牌在这里要求修改，见 `heartbeat-server`(8)。最长 103 字节。缺少的目录会自
        动建立；套接字建不成时，守护进程会说明，并照常运行。环境变量 HEARTBEAT_CONTROL 优先于它。默认是 $RUNTIME_DIRECTORY 下
        的 <control.sock>；没有则 root 用 </run/heartbeat-server>，其他用户用 $XDG_RUNTIME_DIR 下的 <heartbeat-server>，
        再没有则在状态目录里。",
        sample: r#"The socket for root and the service's user to declare, pause, resume and remove monitors, or "off"; by
        default here:"#,
    }
    }
}

section! {
    /// `[confine]`.
    ConfineDraft {
    enabled: bool {
        read: flag(),
        default: true,
        en: "Whether it does. Default {default}.",
        zh: "是否限制。默认 {default}。",
        sample: "What nothing else does (by hand, OpenRC, containers; the systemd unit says more), the daemon does itself
        at its start: it and the programs of its notifiers write only to its state, the folders of its logs,
        /tmp and /var/tmp, and gain no privileges (no sudo).",
    }
    write: Vec<PathBuf> {
        read: by(folders),
        form: "[<path>, ...]",
        default: [],
        en: "Folders, or files, that the programs of notifiers write in besides. Default: none.",
        zh: "通知渠道的程序另外可以写的目录或文件。默认没有。",
        sample: "Folders, or files, that those programs write in besides.",
    }
    program_user: String {
        read: by(ConfigValue::owned),
        form: "<name>",
        default: "nobody",
        en: r#"Whom the programs of notifiers run as where the daemon runs as root; "root" for root, without any of its
        capabilities. Default {default}."#,
        zh: r#"守护进程以 root 运行时，通知渠道的程序以哪个用户运行；"root" 表示仍是 root，但没有任何特权。默认 {default}。"#,
        sample: "Whom they run as where the daemon is root.",
    }
    }
}

fn socket(value: ConfigValue<'_>) -> Option<Option<PathBuf>> {
    match value.string()? {
        "off" => Some(None),
        _ => value.path().map(Some),
    }
}

fn folders(value: ConfigValue<'_>) -> Option<Vec<PathBuf>> {
    Some(value.elements(WRITE_MAX)?.into_iter().filter_map(ConfigValue::path).collect())
}

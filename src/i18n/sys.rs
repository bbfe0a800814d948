//! Texts: what is said of the operating system.

use super::{Shown, Told, texts, words};

words! {
    LOG_CONFINED:
        "the server has confined itself (Landlock) to the folders that it had at its start: restart it to log there",
        "服务器启动时已用 Landlock 将自身限制在当时的目录内：请重启后再写入该处";
    OR_PID: " or pid ", " 或 ";
    SERVER_DIED_BACKGROUND_BEFORE:
        "the server died in the background before it was ready and left no word; run it without --daemon to see why",
        "服务在后台就绪之前意外退出，未留下任何信息；请去掉 --daemon 运行以查看原因";
    SEMICOLON: "; ", "；";
    NEW_PRIVILEGES: "new privileges", "新权限";
    CAPABILITIES: "capabilities", "特权";
    FILES: "files", "文件";
    SYSTEM_CALLS: "system calls", "系统调用";
    PROGRAMS_NOTIFIERS: "programs of notifiers", "通知程序";
    COMMA: ", ", "、";
    NOT_CONFINED: "not confined", "未受限制";
    KERNEL_NO_LANDLOCK_SWITCHED:
        "this kernel has no Landlock, or has it switched off: what may be written is a matter of the user's rights alone",
        "内核没有或未启用 Landlock：可写入的位置仅由运行用户的权限决定";
    DAEMON_CANNOT_USED_UNDER:
        "--daemon cannot be used under a service manager (systemd, launchd): it would lose sight of the server; leave --daemon out of its unit",
        "--daemon 不能在服务管理器（systemd、launchd）下使用，否则它会失去对服务的掌控；请从其单元中去掉 --daemon";
    FIREWALLD_INSTALLED_BUT_DOES:
        "firewalld is installed but does not run; what its files say was not looked at",
        "firewalld 已安装但未运行；未查看其配置文件中的内容";
    RULES_NFT_GONE_AFTER:
        "rules of nft are gone after a restart of the machine or a reload of the ruleset; to keep them, write them into /etc/nftables.conf, or wherever yours comes from",
        "nft 的规则在机器重启或重新加载规则集后消失；要保留，请写入 /etc/nftables.conf 或您的规则文件";
    FIREWALL_KNOWS_PROGRAMS_ONLY:
        "this firewall knows programs only: everything that heartbeat-server listens on is open or none of it",
        "此防火墙只认程序：heartbeat-server 监听的端口要么全部开放，要么全部不开放";
    SET_BLOCK_ALL_INCOMING:
        "it is set to block all incoming connections, whatever is allowed; see System Settings, Network, Firewall, Options",
        "它被设为阻止所有传入连接，无论允许了什么；见“系统设置”-“网络”-“防火墙”-“选项”";
    LOG_CLOSED_SERVER_STOPPING: "the log is closed: the server is stopping", "日志已关闭：服务器正在停止";
    LET_USER_SERVER_RUNS:
        "let the user the server runs as write there, or choose another target",
        "请授予服务器运行用户写权限，或另选日志目标";
    START_READER_FIFO_FIRST: "start the reader of the FIFO first", "请先启动该 FIFO 的读取程序";
    CHOOSE_PLAIN_FILE_UNDER: "choose a plain file under [log] targets", "请在 [log] targets 中指定普通文件";
    START_SYSLOG_SERVICE_SUCH:
        "start a syslog service such as rsyslog, or choose another target",
        "请启动 syslog 服务（如 rsyslog），或另选日志目标";
    NEEDS_SYSTEMDS_JOURNAL_WITHOUT:
        "this needs systemd's journal; without it choose stderr or file:PATH",
        "需要 systemd 日志服务；没有时请选 stderr 或 file:路径";
    CHOOSE_ANOTHER_TARGET: "choose another target", "请另选日志目标";
    FULL_NOBODY_READS_FAST: "full, nobody reads it fast enough", "缓冲区已满，读取方跟不上";
    USER_GROUP_NEED_ROOT:
        "--user and --group need root; start as root, or leave them out and start as that user",
        "--user 和 --group 需要 root 权限；请以 root 身份启动，或去掉它们并直接以该用户启动";
    ROOT_COULD_REGAINED_AFTER:
        "root could be regained after it was given up; not going on: check the security policy of this system, or start as the user itself",
        "放弃 root 权限后仍可恢复，已停止启动；请检查系统的安全策略，或直接以该用户启动";
    TWO_CONFIGURED_LISTENERS_WANT:
        "two of the configured listeners want it: remove one of them",
        "配置中有两个监听器使用它：请去掉其中一个";
    SOCKET_UNIT_START_SERVICE:
        "a socket unit has it: start the service with `systemctl start heartbeat-server.service`, or stop the unit first (`systemctl list-sockets` names it)",
        "它属于某个 socket 单元：请用 systemctl start heartbeat-server.service 启动服务，或先停止该单元（systemctl list-sockets 可查到名称）";
    STOP_PROGRAM_CHOOSE_ANOTHER: "stop that program or choose another path", "请停止该程序或换一个路径";
    UNDER_SYSTEMD_LET_SOCKET:
        "under systemd let the socket unit open it: set ListenStream= in heartbeat-server.socket, then `systemctl stop heartbeat-server.service` and `systemctl enable --now heartbeat-server.socket`",
        "在 systemd 下请由 socket 单元打开端口：在 heartbeat-server.socket 中设置 ListenStream=，然后执行 systemctl stop heartbeat-server.service 和 systemctl enable --now heartbeat-server.socket";
    PORTS_BELOW_1024_ROOT:
        "ports below 1024 are for root: choose a higher port, start as root with --user, or grant it with `setcap cap_net_bind_service=+ep` on the program",
        "1024 以下的端口只有 root 可用：请换一个更大的端口，或以 root 身份加 --user 启动，或用 setcap cap_net_bind_service=+ep 授权本程序";
    SECURITY_POLICY_SELINUX_APPARMOR:
        "a security policy (SELinux, AppArmor, a container) forbids it: allow the port there or choose another",
        "安全策略（SELinux、AppArmor 或容器）不允许：请在策略中放行该端口，或换一个端口";
    USER_SERVER_RUNS_NEEDS:
        "the user the server runs as needs write permission in that directory: change it or choose another path",
        "运行本服务的用户需要对该目录有写权限：请修改权限或换一个路径";
}

texts! {
    state_in_use(path: Shown, pid: Told):
        "the state directory {path} is in use by another heartbeat-server{pid}; stop that one, or give this one its own --state-dir",
        "状态目录 {path} 正由另一个 heartbeat-server{pid}使用；请先停止它，或用 --state-dir 另指定一个目录";
    pid_file_held(path: Shown, pid: Told):
        "pid file {path}: another server{pid} holds it; stop that one, or give this one its own --pid-file",
        "进程号文件 {path}：已被另一个服务{pid}占用；请停止它，或用 --pid-file 另指定一个文件";
    pid(pid: Shown): " (pid {pid})", "（进程号 {pid}）";
    held_by(name: Shown, pids: Told): ", held by {name} (pid {pids})", "，占用者是 {name}（进程号 {pids}）";
    confined_itself(ours: Shown): "confined by itself: {ours}", "自我限制：{ours}";
    confined_from_outside(others: Shown): "confined from outside: {others}", "由外部限制：{others}";
    confined_itself_from_outside(ours: Shown, others: Shown):
        "confined by itself: {ours}; from outside: {others}",
        "自我限制：{ours}；由外部限制：{others}";
    going_less_confined_than(what: Shown):
        "going on less confined than wished: {what}",
        "未能完全限制自身，继续运行：{what}";
    confined_writes_only_below(folders: Told):
        "confined: writes only below {folders}",
        "已限制自身：仅可写入 {folders}";
    listener_waits_address_no(name: Shown, ip: Shown, address: Shown):
        "listener {name} waits for its address: no network interface of this machine has {ip}; it serves {address} as soon as one has",
        "监听器 {name} 在等待它的地址：本机还没有网络接口拥有 {ip}；一旦出现就在 {address} 上提供服务";
    listener_now(name: Shown, address: Shown):
        "listener {name}: {address} is there now",
        "监听器 {name}：{address} 现在可用了";
    pid_file_choose_another(path: Shown, source: Shown):
        "pid file {path}: {source}; choose another --pid-file in a directory that exists and is writable",
        "进程号文件 {path}：{source}；请用 --pid-file 指定一个存在且可写的目录中的文件";
    current_directory_gone_write(path: Shown):
        "{path}: the current directory is gone; write the path from / on",
        "{path}：当前目录已不存在；请写以 / 开头的完整路径";
    cannot_go_into_background(reason: Shown):
        "cannot go into the background: {reason}; run without --daemon to see more",
        "无法转入后台：{reason}；请去掉 --daemon 运行以查看详情";
    no_machine(program: Shown): "there is no {program} on this machine", "本机没有 {program}";
    cannot_run(call: Shown, reason: Shown): "cannot run `{call}`: {reason}", "无法运行 `{call}`：{reason}";
    did_not_end_time(call: Shown):
        "`{call}` did not end in time and was stopped; try it by hand to see what it waits for",
        "`{call}` 没有按时结束，已被终止；请手动运行，看它在等待什么";
    ended(call: Shown, code: Shown, said: Shown):
        "`{call}` ended with {code}:\n{said}",
        "`{call}` 以 {code} 结束：\n{said}";
    off_rules_count_once(backend: Shown):
        "{backend} is off; its rules count once it is turned on",
        "{backend} 未启用；启用后其规则才生效";
    rules_gone_after_restart(backend: Shown):
        "rules of {backend} are gone after a restart of the machine; to keep them, save them as you save the others, for example by netfilter-persistent save",
        "{backend} 的规则在机器重启后消失；要保留，请像保存其他规则一样保存，例如 netfilter-persistent save";
    left_out_because_does(program: Shown, reason: Shown):
        "left out, because {program} does not answer: {reason}",
        "{program} 没有回答，已略过：{reason}";
    only_default_zone_opened(default: Shown, zone: Shown):
        "only the default zone, {default}, is opened; what comes in by the zone {zone} is not: if it should be, firewall-cmd --permanent --zone={zone} --add-service=heartbeat-server and firewall-cmd --reload",
        "只开放默认区域 {default}；经区域 {zone} 进入的连接不受影响。如需开放：firewall-cmd --permanent --zone={zone} --add-service=heartbeat-server，然后 firewall-cmd --reload";
    cannot_open_log_target(target: Shown, error: Shown, error2: Shown):
        "cannot open log target {target}: {error}; {error2}",
        "无法打开日志目标 {target}：{error}；{error2}";
    cannot_start_thread_writes(error: Shown):
        "cannot start the thread that writes the log: {error}; raise the limit on tasks",
        "无法启动日志写入线程：{error}；请提高任务数上限";
    create_directory_choose_another(folder: Shown):
        "create the directory {folder} or choose another file under [log] targets",
        "请创建目录 {folder}，或在 [log] targets 中另选文件";
    long_may_cannot_set(error: Shown):
        "it is as long as it may be and cannot be set aside for a new one: {error}",
        "已达大小上限，且无法改名另建新文件：{error}";
    user_no_such_account(user: Shown):
        "user {user}: no such account; make it (useradd --system {user}) or name another with --user",
        "用户 {user} 不存在；请创建它（useradd --system {user}）或用 --user 指定其他用户";
    group_no_such_group(group: Shown):
        "group {group}: no such group; make it (groupadd --system {group}) or name another with --group",
        "用户组 {group} 不存在；请创建它（groupadd --system {group}）或用 --group 指定其他用户组";
    user_number_without_account(user: Shown):
        "user {user}: a number without an account has no group of its own; add --group",
        "用户 {user}：没有账户的编号没有所属用户组；请加上 --group";
    cannot_give_user_user(path: Shown, source: Shown):
        "cannot give {path} to the user of --user: {source}; put it on a file system where root may do that",
        "无法把 {path} 交给 --user 指定的用户：{source}；请把它放在 root 可以更改属主的文件系统上";
    cannot_give_up_root(step: Shown, source: Shown):
        "cannot give up root: {step}: {source}; a container or security policy may forbid it: start as the user itself, without --user",
        "无法放弃 root 权限：{step}：{source}；可能是容器或安全策略不允许：请去掉 --user，直接以该用户启动";
    listener_not_yet_tried(name: Shown):
        "listener {name} is not there yet and is tried again",
        "监听器 {name} 尚未就绪，会继续重试";
    listener_not_yet_tried_again(name: Shown, sentence: Told):
        "listener {name} is not there yet and is tried again: {sentence}",
        "监听器 {name} 尚未就绪，会继续重试：{sentence}";
    listener_differs(name: Shown, inherited: Shown, configured: Shown):
        "listener {name}: the service manager's socket on {inherited} is used, not the configured {configured}; make the two agree",
        "监听器 {name}：使用服务管理器传来的 {inherited}，而非配置中的 {configured}；请使两者一致";
    inherited_socket_belongs_no(name: Shown, address: Shown):
        "the inherited socket {name} on {address} belongs to no configured listener and was closed; set FileDescriptorName= in its unit to the name of a listener",
        "传入的套接字 {name}（{address}）不对应任何已配置的监听器，已关闭；请在其单元中把 FileDescriptorName= 设为监听器的名称";
    inherited_descriptor_not_listening(name: Shown):
        "the inherited descriptor {name} is not a listening stream socket and was closed; its unit needs ListenStream= and Accept=no",
        "传入的描述符 {name} 不是监听中的流套接字，已关闭；其单元需要 ListenStream= 和 Accept=no";
    going_without_listener_nobody(name: Shown, sentence: Shown):
        "going on without the listener {name}, as nobody asked for it: {sentence}",
        "监听器 {name} 并非明确要求，将不使用它而继续运行：{sentence}";
    addresses_one_not_served(host: Shown, sentence: Shown):
        "of the addresses of {host} one is not served: {sentence}",
        "{host} 有一个地址未能监听：{sentence}";
    cannot_use_state_directory(path: Shown, source: Shown):
        "cannot use the state directory {path}: {source}; choose another with --state-dir",
        "无法使用状态目录 {path}：{source}；请用 --state-dir 指定其他目录";
    state_directory_not_ours(path: Shown, owner: Shown, mode: Shown):
        "the state directory {path} is not ours alone (owner {owner}, mode {mode}): others could change what is kept there; `chown` it to the user of the server and `chmod 750` it, or choose another with --state-dir",
        "状态目录 {path} 不只属于本服务（所有者 {owner}，权限 {mode}）：别人可以改动其中的内容；请用 chown 把它交给运行服务的用户并执行 chmod 750，或用 --state-dir 指定其他目录";
    another_directory_put_place(path: Shown):
        "another directory was put in the place of the state directory {path} while the server started: others may rename the directories above it; choose one with --state-dir that only root and we can move",
        "启动期间状态目录 {path} 被换成了另一个目录：别人可以重命名它上层的目录；请用 --state-dir 指定只有 root 和本服务能移动的目录";
    stop_program_choose_another(port: Shown):
        "stop that program or choose another PORT; `ss -ltnp` or `lsof -i :{port}` shows who it is",
        "请停止该程序或换一个端口；用 ss -ltnp 或 lsof -i :{port} 可查看占用者";
    cannot_listen_address_use(address: Shown, by: Shown, advice: Shown):
        "cannot listen on {address}: the address is in use{by}; {advice}",
        "无法监听 {address}：地址已被占用{by}；{advice}";
    cannot_listen_no_network(address: Shown):
        "cannot listen on {address}: no network interface of this machine has that address; `ip address` or `ifconfig` lists those it has, and a bare PORT listens on all of them",
        "无法监听 {address}：本机没有这个地址；用 ip address 或 ifconfig 查看本机地址，只写端口则监听全部地址";
    cannot_listen_name_does(host: Shown, reason: Shown):
        "cannot listen on {host}: the name does not resolve ({reason}); check its spelling or write an IP address",
        "无法监听 {host}：域名无法解析（{reason}）；请检查拼写或改写 IP 地址";
    cannot_listen_permission_denied(address: Shown, advice: Shown):
        "cannot listen on {address}: permission denied; {advice}",
        "无法监听 {address}：权限不足；{advice}";
    cannot_listen_unix_exists(path: Shown):
        "cannot listen on unix:{path}: {path} exists and is not a socket; remove it yourself or choose another path",
        "无法监听 unix:{path}：{path} 已存在且不是套接字；请自行删除它或换一个路径";
    cannot_take_over_sockets(reason: Shown):
        "cannot take over the sockets of the service manager: {reason}; start the service through its units, or unset LISTEN_FDS and LISTEN_PID",
        "无法接管服务管理器传来的套接字：{reason}；请通过其单元启动服务，或清除环境变量 LISTEN_FDS 和 LISTEN_PID";
    nothing_listen_yet_no(address: Shown):
        "there is nothing to listen on yet: no network interface of this machine has the address of {address}, or its name does not resolve; `ip address` or `ifconfig` lists the addresses, and a bare PORT listens on all of them; start again when it is there",
        "目前没有可监听的地址：本机没有 {address} 这个地址，或域名无法解析；用 ip address 或 ifconfig 查看本机地址，只写端口则监听全部地址；等它出现后再启动";
    cannot_listen_addresses_most(count: Shown, most: Shown):
        "cannot listen on {count} addresses: {most} are the most; remove some [[listen]] entries",
        "无法监听 {count} 个地址：最多 {most} 个；请删减 [[listen]] 条目";
    cannot_listen_mend_choose(address: Shown, source: Shown):
        "cannot listen on {address}: {source}; mend that or choose another address",
        "无法监听 {address}：{source}；请排除该问题或换一个地址";
    log_target_fails(target: Shown, reason: Shown): "{target}: {reason}", "{target}: {reason}";
}

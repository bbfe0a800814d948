//! Texts: what is said of the state on disk.

use super::{Shown, Told, texts, words};

words! {
    NOTHING_MISSING: "nothing is missing", "没有缺失";
    REST_UNREADABLE: "the rest could not be read", "其余内容无法读取";
    CANNOT_KEEP_STATE: "cannot keep the state", "无法保存状态";
    NOT_WHAT_WRITTEN: "not what was written", "内容与写入时不符";
    FAILED: "it failed", "失败";
    MAKE_ROOM_DISK: "make room on that disk", "请清理该磁盘空间";
    MAKE_WRITABLE_SERVICES_USER:
        "make it writable for the service's user, or choose another directory with --state-dir",
        "请让服务用户可以写入，或用 --state-dir 指定其他目录";
    CHECK_DISK: "check the disk", "请检查磁盘";
    MOVE_FILE_AWAY_RESTORE: "move the file away and restore a copy", "请移走该文件并恢复备份";
    INSTALL_VERSION_AGAIN: "install that version again", "请重新安装该版本";
}

texts! {
    set_aside(path: Shown, because: Told, aside: Shown, monitors: Shown, rest: Told):
        "{path} was damaged ({because}) and is kept as {aside}; {monitors} monitors were read out of it, {rest}; check the disk",
        "{path} 已损坏（{because}），已另存为 {aside}；从中读出 {monitors} 个监控项，{rest}；请检查磁盘";
    what_and_advice(what: Told, fault: Told, advice: Told): "{what}: {fault}; {advice}", "{what}：{fault}；{advice}";
    journal_damaged_byte_bytes(file: Shown, offset: Shown, bytes: Shown, reason: Told, kept: Told):
        "the journal is damaged: {file}: at byte {offset}, {bytes} bytes cannot be read: {reason}; everything else was read{kept}",
        "journal 文件损坏：{file}：第 {offset} 字节起的 {bytes} 字节无法读取：{reason}；其余内容均已读取{kept}";
    journal_ends_unfinished_write(file: Shown, bytes: Shown, offset: Shown):
        "the journal ends in an unfinished write, as after a power cut: {file}: {bytes} bytes from byte {offset} on were left out",
        "journal 末尾是未写完的内容（断电后常见）：{file}：第 {offset} 字节起的 {bytes} 字节已略去";
    file_journal_removed_while(file: Shown, again: Shown):
        "a file of the journal was removed while it was written: {file}; all of it was written again, to {again}, and nothing is lost; stop the server before files of its state are removed",
        "journal 文件在写入期间被删除：{file}；其内容已全部重新写入 {again}，没有丢失；删除状态文件前请先停止服务器";
    disk_could_not_told(file: Shown, reason: Told, again: Shown, times: Shown):
        "the disk could not be told to keep what was written: {file}: fdatasync: {reason}; all of it was written again, to {again}, and nothing is lost ({times} times since the start); check the disk",
        "数据未能落盘：{file}：fdatasync：{reason}；相关内容已全部重新写入 {again}，没有丢失（启动以来第 {times} 次）；请检查磁盘";
    copy_kept(kept: Shown): "; a copy is kept at {kept}", "；副本保存在 {kept}";
    empty_file_if_anything(path: Shown):
        "{path} was an empty file: if anything stood in it, that is lost; monitors come back from the journal or with their next beat",
        "{path} 是空文件：若其中曾有内容则已丢失；监控项会从 journal 或随下一次心跳恢复";
    monitors_number_row_passed(path: Shown, number: Shown, reason: Told):
        "{path}: monitors, number {number}: {reason}; the row is passed over, correct or delete it",
        "{path}：表 monitors，编号 {number}：{reason}；已跳过该行，请更正或删除";
    no_space_left(path: Shown): "{path}: no space left", "{path}：磁盘空间不足";
    not_allowed(path: Shown, error: Shown): "{path}: {error}", "{path}：{error}";
    system_failed(path: Shown, doing: Shown, error: Shown): "{path}: {doing}: {error}", "{path}：{doing}：{error}";
    damaged_at(path: Shown, offset: Shown, reason: Told):
        "{path}: at byte {offset}: {reason}",
        "{path}：第 {offset} 字节处：{reason}";
    written_by_later_version(path: Shown, found: Shown, known: Shown):
        "{path}: written by a later version (schema {found}, this one knows {known})",
        "{path}：由更新的版本写入（格式 {found}，本版本只支持到 {known}）";
}

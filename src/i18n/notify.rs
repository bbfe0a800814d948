//! Texts: how messages are brought to their receivers.

use super::{Shown, texts, words};

words! {
    NAME_AUTHORITY_CA: "; name its authority with ca", "；可用 ca 指定其签发机构";
    CERTIFICATE_AUTHORITY_MAKE_SERVERS:
        "; it is the certificate of an authority, make the server's with -addext basicConstraints=CA:FALSE",
        "；这是签发机构的证书，服务器证书请加 -addext basicConstraints=CA:FALSE 生成";
    UNDER_NONEWPRIVILEGES_PROGRAM_SET:
        "; under NoNewPrivileges a program with set-user-ID or set-group-ID (sudo, sendmail's maildrop) does not get its rights: use type = \"mail\", or allow it in the unit and with [confine] enabled = false",
        "；在 NoNewPrivileges 之下，带 set-user-ID 或 set-group-ID 的程序（sudo、sendmail 的 maildrop）得不到其权限：请用 type = \"mail\"，或在单元文件中放行并设 [confine] enabled = false";
    TOO_LONG: "too long", "过长";
    SEMICOLON: "; ", "；";
    CLOSING: "it is closing", "服务器正在关闭";
    REFUSES_LOGIN_SEE_USERNAME:
        "it refuses the login: see username and password_file",
        "拒绝登录：请检查 username 和 password_file";
    REFUSES_SENDER_SEE_FROM: "it refuses the sender: see from", "拒绝发件人：请检查 from";
    RECIPIENT_PUT_OFF_GREYLISTING:
        "the recipient is put off (greylisting, or its mailbox is busy)",
        "收件人被推迟（灰名单，或邮箱繁忙）";
    TOO_MANY_RECIPIENTS_ONCE: "too many recipients at once, or no room", "收件人过多或空间不足";
    RECIPIENT_REFUSED: "the recipient is refused", "拒绝该收件人";
    NO_ROOM_TOO_LARGE: "no room, or too large", "空间不足或邮件过大";
    RULES_FORBID: "its rules forbid it", "被其规则拒绝";
    NOT_TIME: "not this time", "暂时拒绝";
    REFUSED: "refused", "拒绝";
    SMTP_HOST_PORT_TLS:
        "; smtp = \"HOST:PORT\" and tls say where and how",
        "；可用 smtp = \"主机:端口\" 和 tls 指定";
    COLON: ": ", "：";
    URL_MISSING: "url is missing", "缺少 url";
    SYSTEM_NO_CERTIFICATES_AUTHORITIES:
        "this system has no certificates of authorities: install ca-certificates, or name a bundle (ca)",
        "本系统没有根证书：请安装 ca-certificates，或指定证书文件（ca）";
    COMMA: ", ", "、";
}

texts! {
    cannot_resolve(host: Shown, error: Shown): "cannot resolve {host}: {error}", "无法解析 {host}：{error}";
    no_address(host: Shown): "{host} has no address", "{host} 没有地址";
    cannot_connect(place: Shown, error: Shown): "cannot connect to {place}: {error}", "无法连接 {place}：{error}";
    cannot_start(name: Shown, error: Shown): "cannot start {name}: {error}", "无法启动 {name}：{error}";
    cannot_wait(name: Shown, error: Shown): "cannot wait for {name}: {error}", "无法等待 {name}：{error}";
    not_done_within_killed(name: Shown, limit: Shown, advice: Shown):
        "{name} was not done within {limit} and was killed{advice}",
        "{name} 未在 {limit} 内完成，已被终止{advice}";
    wants_tried_again_later(name: Shown, said: Shown):
        "{name} wants to be tried again later{said}",
        "{name} 要求稍后重试{said}";
    failed_exit_status(name: Shown, code: Shown, said: Shown, code2: Shown):
        "{name} failed with exit status {code}{said}{code2}",
        "{name} 失败，退出码 {code}{said}{code2}";
    ended_signal(name: Shown, status: Shown, said: Shown):
        "{name} was ended by a signal ({status}){said}",
        "{name} 被信号终止（{status}）{said}";
    not_among_recipients_any(gone: Shown): "{gone} is not among its recipients any more", "{gone} 已不在收件人之列";
    no_mail_can_made(reason: Shown): "no mail can be made of it: {reason}", "无法生成邮件：{reason}";
    did_not_take_mail(host: Shown, limit: Shown):
        "{host} did not take the mail within {limit}",
        "{host} 未在 {limit} 内接收邮件";
    mail_not_taken_because(host: Shown, reason: Shown, error: Shown):
        "{host} did not take the mail: {reason}{error}",
        "{host} 未接收邮件：{reason}{error}";
    mail_not_taken_with_code(host: Shown, code: Shown, detail: Shown, class: Shown, said: Shown):
        "{host} did not take the mail: {code}{detail}, {class}{said}",
        "{host} 未接收邮件：{code}{detail}，{class}{said}";
    no_tls(host: Shown, port: Shown, reason: Shown, advice: Shown):
        "no TLS with {host}:{port}: {reason}{advice}",
        "无法与 {host}:{port} 建立 TLS：{reason}{advice}";
    line_column_template(line: Shown, column: Shown, reason: Shown):
        "line {line}, column {column} of the template: {reason}",
        "模板第 {line} 行第 {column} 列：{reason}";
    answered(host: Shown, status: Shown): "{host} answered {status}", "{host} 应答 {status}";
    answer_broke_off(host: Shown): "the answer of {host} broke off", "{host} 的应答中途中断";
    to(to: Shown): " to {to}", "，指向 {to}";
    redirects_not_followed_write(answered: Shown, to: Shown):
        "{answered}{to}: redirects are not followed, write the final address as url",
        "{answered}{to}：不跟随重定向，请把最终地址写入 url";
    does_not_say_whether(host: Shown, said: Shown):
        "{host} does not say whether it took it{said}",
        "{host} 未说明是否已接收{said}";
    needs_secrets_file_path(preset: Shown, name: Shown):
        "{preset} needs secrets = {{ {name} = {{ file = \"PATH\" }} }}, or {{ credential = \"NAME\" }}",
        "{preset} 需要 secrets = {{ {name} = {{ file = \"路径\" }} }}，或 {{ credential = \"名称\" }}";
    needs_params(preset: Shown, name: Shown):
        "{preset} needs params = {{ {name} = \"…\" }}",
        "{preset} 需要 params = {{ {name} = \"…\" }}";
    proxy(reason: Shown): "the proxy: {reason}", "代理：{reason}";
    what_template_yields_longer(most: Shown):
        "what the template yields is longer than {most} bytes; use cut",
        "模板生成的内容超过 {most} 字节；请使用 cut";
    quotes_line_breaks_like(line: Shown, column: Shown):
        "with quotes, line breaks and the like in a message this is no JSON any more, at line {line}, column {column} of what it yields; outside of quotes write {{{{json text}}}}, inside them {{{{text}}}}",
        "消息中含有引号、换行等字符时，生成的内容不再是 JSON（第 {line} 行第 {column} 列）；引号之外请写 {{{{json text}}}}，引号之内请写 {{{{text}}}}";
    cannot_read(path: Shown, error: Shown): "cannot read {path}: {error}", "无法读取 {path}：{error}";
    too_long_bundle_most(path: Shown, most: Shown):
        "{path} is too long: a bundle has at most {most} bytes",
        "{path} 过长：证书文件最多 {most} 字节";
    holds_no_certificate_pem(path: Shown):
        "{path} holds no certificate in PEM format",
        "{path} 中没有 PEM 格式的证书";
    tls_not_available(error: Shown): "TLS is not available: {error}", "TLS 不可用：{error}";
    refuses_with_code(host: Shown, code: Shown, en: Shown, said: Shown, zh: Shown):
        "{host} refuses it ({code}){en}{said}",
        "{host} 拒绝（{code}）{zh}{said}";
    proxy_does_not_connect_us(place: Shown, host: Shown, en: Shown, zh: Shown):
        "the proxy {place} does not connect us to {host}: {en}",
        "代理 {place} 未能连接到 {host}：{zh}";
}

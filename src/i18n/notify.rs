//! Texts: how messages are brought to their receivers.

use super::{Quoted, Shown, Told, texts, words};

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
    URL_MISSING: "url is missing", "缺少 url";
    SYSTEM_NO_CERTIFICATES_AUTHORITIES:
        "this system has no certificates of authorities: install ca-certificates, or name a bundle (ca)",
        "本系统没有根证书：请安装 ca-certificates，或指定证书文件（ca）";
    COMMA: ", ", "、";
    MAIL_BODY:
        "{{text}}
{{details}}

{{#each monitors 200}}{{id}}
  since {{since}}{{#if ended}} until {{ended}}{{/if}}{{#if cause fail}} (it reported a failure){{/if}}
{{#if last_beat}}  last beat {{last_beat}}{{#if address}} from {{address}}{{/if}}
{{/if}}{{#if tags}}  tags {{tags}}
{{/if}}{{#if message}}  it said: {{message}}
{{/if}}{{/each}}
-- 
heartbeat-server, {{key}}
",
        "{{text}}
{{details}}

{{#each monitors 200}}{{id}}
  开始于 {{since}}{{#if ended}}，结束于 {{ended}}{{/if}}{{#if cause fail}}（自报故障）{{/if}}
{{#if last_beat}}  最后心跳 {{last_beat}}{{#if address}}，来自 {{address}}{{/if}}
{{/if}}{{#if tags}}  标签 {{tags}}
{{/if}}{{#if message}}  其消息：{{message}}
{{/if}}{{/each}}
-- 
heartbeat-server, {{key}}
";
    SHOW_ANSWERS_HINT: "; show_answers = true shows its words", "；show_answers = true 可显示其原话";
    ADDRESS_MOVES:
        "scheme, host and port of the address cannot come from the message: write them out, with a / behind them",
        "地址的协议、主机和端口不能来自消息：请直接写出，并在其后加 /";
    NOT_ADDRESS: "not an address such as https://host/path", "不是形如 https://host/path 的地址";
    ADDRESS_SCHEME: "an address begins with http:// or https://", "地址须以 http:// 或 https:// 开头";
    USER_IN_ADDRESS:
        "no user or password in the address; write headers = { Authorization = \"Basic {{base64 \\\"USER:\\\" secret.token}}\" }",
        "地址中不能含有用户名或密码；请写 headers = { Authorization = \"Basic {{base64 \\\"用户:\\\" secret.token}}\" }";
    PROXY_WANTS_LOGIN:
        "407, it wants a user and a password: proxy = \"http://USER:PASSWORD@HOST:PORT\" from a file",
        "407，需要用户名和密码：请用文件写 proxy = \"http://用户:密码@主机:端口\"";
    NO_HTTP_PROXY: "it is no proxy of HTTP", "它不是 HTTP 代理";
    TEMPLATE_UNCLOSED:
        "{{ without }}; write {{\"{{\"}} for two braces",
        "{{ 缺少对应的 }}；要写出两个花括号请用 {{\"{{\"}}";
    TEMPLATE_QUOTE: "a text in quotes without its end", "引号中的文本没有结束";
    TEMPLATE_NO_BLOCK_OPEN: "no block is open here", "此处没有打开的块";
    TEMPLATE_NESTED: "each does not stand inside each", "each 之内不能再有 each";
    DINGTALK_SECURITY:
        "a security setting of the robot is not met: its keyword is not in the text, the signature is wrong (secrets.sign, or \
         the clock here), or this address is not on its IP list",
        "不符合机器人的安全设置：消息不含其关键词，签名不对（secrets.sign 或本机时钟），或本机地址不在其 IP 白名单中";
    DINGTALK_NO_ROBOT:
        "there is no such robot: the token is wrong, or the robot was removed",
        "没有这个机器人：令牌不对，或机器人已被移除";
    WECOM_NO_ROBOT:
        "there is no such group robot: the key is wrong, or the robot was removed from the group",
        "没有这个群机器人：key 不对，或机器人已被移出群";
    WECOM_SWITCHED_OFF: "the group robot is switched off", "群机器人已被停用";
    WECOM_NOT_IN_GROUP: "the group robot is not in that group", "群机器人不在该群中";
    FEISHU_NO_ROBOT:
        "there is no such robot: the token is wrong, or the robot was removed from the group",
        "没有这个机器人：令牌不对，或机器人已被移出群";
    FEISHU_SIGNATURE:
        "the signature is wrong, or the clock here is off by more than an hour: see secrets.sign",
        "签名不对，或本机时钟相差一小时以上：请检查 secrets.sign";
    FEISHU_ADDRESS: "this address is not on the robot's IP list", "本机地址不在机器人的 IP 白名单中";
    FEISHU_KEYWORD:
        "the robot's keyword is not in the text: choose one that every message has, or write it into body",
        "消息不含机器人的关键词：请选用每条消息都有的词，或把它写进 body";
}

texts! {
    cannot_resolve(host: Shown, error: Shown): "cannot resolve {host}: {error}", "无法解析 {host}：{error}";
    no_address(host: Shown): "{host} has no address", "{host} 没有地址";
    cannot_connect(place: Shown, error: Shown): "cannot connect to {place}: {error}", "无法连接 {place}：{error}";
    cannot_start(name: Shown, error: Shown): "cannot start {name}: {error}", "无法启动 {name}：{error}";
    cannot_wait(name: Shown, error: Shown): "cannot wait for {name}: {error}", "无法等待 {name}：{error}";
    not_done_within_killed(name: Shown, limit: Shown, advice: Told):
        "{name} was not done within {limit} and was killed{advice}",
        "{name} 未在 {limit} 内完成，已被终止{advice}";
    wants_tried_again_later(name: Shown, said: Told):
        "{name} wants to be tried again later{said}",
        "{name} 要求稍后重试{said}";
    failed_exit_status(name: Shown, code: Shown, said: Told, advice: Told):
        "{name} failed with exit status {code}{said}{advice}",
        "{name} 失败，退出码 {code}{said}{advice}";
    ended_signal(name: Shown, status: Shown, said: Told):
        "{name} was ended by a signal ({status}){said}",
        "{name} 被信号终止（{status}）{said}";
    not_among_recipients_any(gone: Shown): "{gone} is not among its recipients any more", "{gone} 已不在收件人之列";
    no_mail_can_made(reason: Told): "no mail can be made of it: {reason}", "无法生成邮件：{reason}";
    did_not_take_mail(host: Shown, limit: Shown):
        "{host} did not take the mail within {limit}",
        "{host} 未在 {limit} 内接收邮件";
    mail_not_taken_because(host: Shown, reason: Shown, advice: Told):
        "{host} did not take the mail: {reason}{advice}",
        "{host} 未接收邮件：{reason}{advice}";
    mail_not_taken_with_code(host: Shown, code: Shown, detail: Shown, class: Told, said: Told):
        "{host} did not take the mail: {code}{detail}, {class}{said}",
        "{host} 未接收邮件：{code}{detail}，{class}{said}";
    no_tls(host: Shown, port: Shown, reason: Shown, advice: Told):
        "no TLS with {host}:{port}: {reason}{advice}",
        "无法与 {host}:{port} 建立 TLS：{reason}{advice}";
    line_column_template(line: Shown, column: Shown, reason: Told):
        "line {line}, column {column} of the template: {reason}",
        "模板第 {line} 行第 {column} 列：{reason}";
    answered(host: Shown, status: Shown): "{host} answered {status}", "{host} 应答 {status}";
    answer_broke_off(host: Shown): "the answer of {host} broke off", "{host} 的应答中途中断";
    to(to: Shown): " to {to}", "，指向 {to}";
    redirects_not_followed_write(answered: Told, to: Told):
        "{answered}{to}: redirects are not followed, write the final address as url",
        "{answered}{to}：不跟随重定向，请把最终地址写入 url";
    does_not_say_whether(host: Shown, said: Told):
        "{host} does not say whether it took it{said}",
        "{host} 未说明是否已接收{said}";
    needs_secrets_file_path(preset: Shown, name: Shown):
        "{preset} needs secrets = {{ {name} = {{ file = \"PATH\" }} }}, or {{ credential = \"NAME\" }}",
        "{preset} 需要 secrets = {{ {name} = {{ file = \"路径\" }} }}，或 {{ credential = \"名称\" }}";
    needs_params(preset: Shown, name: Shown):
        "{preset} needs params = {{ {name} = \"…\" }}",
        "{preset} 需要 params = {{ {name} = \"…\" }}";
    proxy(reason: Told): "the proxy: {reason}", "代理：{reason}";
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
    refuses_with_code(host: Shown, code: Shown, meaning: Told, said: Told):
        "{host} refuses it ({code}){meaning}{said}",
        "{host} 拒绝（{code}）{meaning}{said}";
    code_means(meaning: Told): ": {meaning}", "：{meaning}";
    proxy_does_not_connect_us(place: Shown, host: Shown, why: Told):
        "the proxy {place} does not connect us to {host}: {why}",
        "代理 {place} 未能连接到 {host}：{why}";
    answer_quoted(line: Shown): ": {line}", "：{line}";
    cannot_write_to_log(log: Shown, error: Shown): "cannot write to {log}: {error}", "无法写入 {log}：{error}";
    recipient_reason(to: Shown, reason: Told): "{to}: {reason}", "{to}: {reason}";
    no_answer_within(host: Shown, within: Shown): "{host} did not answer within {within}", "{host} 在 {within} 内没有应答";
    no_tls_with(host: Shown, error: Shown, advice: Told): "no TLS with {host}: {error}{advice}", "无法与 {host} 建立 TLS：{error}{advice}";
    connection_broke(host: Shown, error: Shown):
        "the connection to {host} broke before it answered: {error}",
        "与 {host} 的连接在应答前中断：{error}";
    proxy_connection_broke(error: Shown): "the connection broke: {error}", "连接中断：{error}";
    proxy_answered(status: Shown): "it answered {status}", "应答 {status}";
    template_too_long(most: Shown): "a template has at most {most} bytes", "模板最多 {most} 字节";
    template_too_deep(most: Shown): "blocks are nested at most {most} deep", "块最多嵌套 {most} 层";
    template_field_missing(known: Told): "a field is missing; there are: {known}", "缺少字段；可用：{known}";
    template_unknown_field(word: Quoted, known: Told):
        "unknown field {word:?}; there are: {known}",
        "未知的字段 {word:?}；可用：{known}";
    template_no_secret(name: Quoted): "no secret {name:?}: name it under secrets", "没有密钥 {name:?}：请在 secrets 中写明";
    template_no_param(name: Quoted): "no parameter {name:?}: name it under params", "没有参数 {name:?}：请在 params 中写明";
    template_unknown_block(word: Quoted):
        "unknown block {word:?}; there are each, if, unless and the filters",
        "未知的块 {word:?}；可用：each、if、unless 和各过滤器";
    template_end_expected(open: Shown): "here {{{{/{open}}}}} is expected", "此处应为 {{{{/{open}}}}}";
    template_block_open(block: Shown): "the block {block} has no end: {{{{/{block}}}}}", "块 {block} 没有结束：{{{{/{block}}}}}";
    template_number(word: Shown): "after {word} comes a whole number from 1", "{word} 之后应为不小于 1 的整数";
    template_outside(field: Shown): "{field} stands only inside each", "{field} 只能用在 each 之内";
}

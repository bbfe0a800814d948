//! Texts: what the running daemon says of itself.

use super::{Shown, texts, words};

words! {
    PEM_NOTHING:
        "nothing of the kind is in it: PEM with BEGIN and END lines is wanted",
        "其中没有所需内容：应为带 BEGIN 和 END 行的 PEM";
    KEY_ENCRYPTED:
        "the key is under a passphrase, which nobody could type at a start; store it without: openssl pkey -in KEY -out NEW",
        "私钥受口令保护，启动时无人输入；请去除口令：openssl pkey -in 私钥 -out 新文件";
    KEY_MISMATCH: "the key does not belong to the certificate", "私钥与证书不匹配";
}

texts! {
    not_pem(why: Shown): "not PEM: {why}", "不是有效的 PEM：{why}";
    too_many_certificates(most: Shown): "too many certificates: at most {most}", "证书过多：最多 {most} 个";
    pem_unusable(why: Shown): "cannot be used: {why}", "无法使用：{why}";
    system_does_not_say(error: Shown):
        "the system does not say any more which connections are ready ({error}): giving up",
        "系统不再报告哪些连接就绪（{error}）：进程终止";
}

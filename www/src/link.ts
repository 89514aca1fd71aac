// An invitation as a link and back: it rides in the fragment, which no server gets to see.

/** A link to this page that carries the invitation. */
export function linkWith(invitation: string): string {
  return `${location.origin}${location.pathname}#${invitation}`;
}

/** The invitation in what somebody opened or pasted: a link, with or without words around it. */
export function invitationIn(text: string): string {
  const plain = decoded(text);
  return /pg-invite:[\w-]+/.exec(plain)?.[0] ?? plain.trim();
}

/** Some programs write a colon as %3A when a link is sent on. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

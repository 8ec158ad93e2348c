/** Of an HTTP API's event, payload format 2.0, what says where it goes. */
interface RoutedEvent {
  readonly rawPath: string
  readonly requestContext: { readonly stage: string }
}

/** The path of a request without its stage: one that has a name begins each path. */
export function pathInStage({ rawPath, requestContext: { stage } }: RoutedEvent): string {
  return rawPath.startsWith(`/${stage}/`) ? rawPath.slice(stage.length + 1) : rawPath
}
